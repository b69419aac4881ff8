"""Visual tokens reach a double of vLLM, which decodes them and answers from them alone."""

import base64
import io

import pytest
import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling

import framesift

CHAT = "/v1/chat/completions"
NUMBER = "synthetic://number?seed=3"
QUESTION = "What number flashes?"
SENTINEL = "<|prompt_embeds|>"


@pytest.fixture(scope="module")
def vlm():
    return framesift.load_vlm("tiny")


class Vllm:
    """What vLLM takes of embeddings in chat messages, and answers with the tiny model."""

    def __init__(self, engine, vlm, *flags, hidden_size=None):
        self.engine, self.vlm, self.flags = engine, vlm, flags
        self.hidden_size = hidden_size or vlm.hf.config.text_config.hidden_size
        self.rows = []

    def refusal(self, body):
        """Returns the line about what is refused; sets the engine's words where nothing is."""
        try:
            self.engine.words = [self.answer(body["messages"])]
        except ValueError as error:
            return str(error)
        return None

    def answer(self, messages):
        shown = [self.part(part) for message in messages for part in self.parts(message)]
        embeds = [tensor for _, tensor in shown if tensor is not None]
        content = [part for part, _ in shown]
        kinds = {part["type"] for part in content}
        if {"image", "image_url"} <= kinds:
            raise ValueError("Mixing raw image and embedding inputs is not allowed")
        text = self.vlm.tokenizer.apply_chat_template(
            [{"role": messages[-1]["role"], "content": content}],
            chat_template=self.vlm.chat_template,
            tokenize=False,
            add_generation_prompt=True,
        )
        if "image" in kinds:
            return self.generated(*self.with_pictures(text, embeds))
        pieces = [self.embedded(piece) for piece in text.split(SENTINEL)]
        rows = [pieces[0]]
        for tensor, piece in zip(embeds, pieces[1:], strict=True):
            rows += [tensor, piece]
        return self.generated(inputs_embeds=torch.cat(rows)[None])

    def parts(self, message):
        content = message["content"]
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    def part(self, part):
        """Returns a part as the template renders it, and the tensor that it holds."""
        if part["type"] == "prompt_embeds":
            if "--enable-prompt-embeds" not in self.flags:
                raise ValueError("You must set `--enable-prompt-embeds` to input `prompt_embeds`.")
            return {"type": "text", "text": SENTINEL}, self.decoded(part["data"])
        if part["type"] == "image_embeds":
            if "--enable-mm-embeds" not in self.flags:
                raise ValueError("You must set `--enable-mm-embeds` to input `image_embeds`")
            return {"type": "image"}, self.decoded(part["image_embeds"])
        return part, None

    def decoded(self, data):
        content = io.BytesIO(base64.b64decode(data, validate=True))
        tensor = torch.load(content, weights_only=True, map_location="cpu")
        if tensor.dim() != 2:
            raise ValueError(f"must be a 2D tensor; got shape {tuple(tensor.shape)}.")
        if tensor.shape[1] != self.hidden_size:
            raise ValueError(
                f"`prompt_embeds` hidden_size {tensor.shape[1]} does not match the model's "
                f"hidden_size {self.hidden_size}."
            )
        if not tensor.is_floating_point():
            raise ValueError(f"`prompt_embeds` dtype {tensor.dtype} is not a floating-point type")
        self.rows.append(len(tensor))
        return tensor

    def embedded(self, text):
        ids = self.vlm.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        return self.vlm.hf.get_input_embeddings()(ids[0].long())

    def with_pictures(self, text, embeds):
        head, *tails = text.split("<image>")
        pairs = zip(embeds, tails, strict=True)
        text = head + "".join("<image>" * len(tensor) + tail for tensor, tail in pairs)
        ids = self.vlm.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        return ids, embeds

    def generated(self, ids=None, pictures=None, **inputs):
        if ids is not None:
            outputs = BaseModelOutputWithPooling(pooler_output=pictures)
            inputs = {"input_ids": ids, "mm_encoder_outputs": {"image": outputs}}
        with torch.no_grad():
            made = self.vlm.hf.generate(**inputs, max_new_tokens=8, do_sample=False)
        made = made[0] if ids is None else made[0][len(ids[0]) :]
        return self.vlm.tokenizer.decode(made, skip_special_tokens=True).strip()


@pytest.fixture
def vllm(engine, vlm, monkeypatch):
    def start(*flags, **options):
        made = Vllm(engine, vlm, *flags, **options)
        monkeypatch.setattr(engine, "refusal", made.refusal)
        return made

    return start


@pytest.fixture
def client(engine, gateway):
    def start(**settings):
        options = {"vlm": "tiny", "embeds_for": "double", "route": "embeds", **settings}
        return gateway(engine.address, allow_synthetic=True, **options)

    return start


def asked(*addresses, **fields):
    videos = [{"type": "video_url", "video_url": {"url": address}} for address in addresses]
    messages = [{"role": "user", "content": [*videos, {"type": "text", "text": QUESTION}]}]
    return {"model": "double", "messages": messages, **fields}


@pytest.mark.parametrize("form", ["prompt", "image"])
def test_an_engine_answers_from_the_tokens_that_are_left(vllm, client, engine, form):
    double = vllm("--enable-prompt-embeds", "--enable-mm-embeds")
    answer = client(embeds_form=form).post(CHAT, json=asked(NUMBER))
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "44"
    assert sum(double.rows) == 128
    told = answer.json()["usage"]["framesift"]
    assert (told["route"], told["visual_tokens_before"]) == ("embeds", 512)
    assert told["visual_tokens_after"] == 128
    assert len(told["times_seconds"][0]) == told["frames_after"] < told["frames_before"] == 8
    assert answer.headers["x-framesift-route"] == "embeds"
    content = engine.requests[0]["messages"][0]["content"]
    kinds = [part["type"] for part in content]
    if form == "prompt":
        assert kinds == ["prompt_embeds", "text"]
    else:
        assert kinds == ["text", "image_embeds"] * told["frames_after"] + ["text"]
        times = [f"[00:{round(t):02}]" for t in told["times_seconds"][0]]
        assert [part["text"] for part in content[:-1:2]] == times


def test_another_share_is_a_knob(vllm, client):
    double = vllm("--enable-prompt-embeds")
    start = client()
    start.post(CHAT, json=asked(NUMBER, framesift={"keep": 0.5}))
    assert double.rows == [256]
    refused = start.post(CHAT, json=asked(NUMBER, framesift={"frames": 4}))
    assert "'frames' means nothing by the route 'embeds'" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("form", "flags", "options", "line"),
    [
        ("prompt", [], {}, "You must set `--enable-prompt-embeds`"),
        ("image", ["--enable-prompt-embeds"], {}, "You must set `--enable-mm-embeds`"),
        ("prompt", ["--enable-prompt-embeds"], {"hidden_size": 64}, "hidden_size 192 does not"),
    ],
)
def test_what_the_engine_refuses_reaches_the_client(vllm, client, form, flags, options, line):
    vllm(*flags, **options)
    answer = client(embeds_form=form).post(CHAT, json=asked(NUMBER))
    assert answer.status_code == 400
    assert line in answer.json()["error"]["message"]


def test_another_model_of_the_upstream_gets_pictures(engine, client):
    start = client(embeds_for="another", frames=2)
    answer = start.post(CHAT, json=asked(NUMBER))
    assert answer.headers["x-framesift-route"] == "frames"
    kinds = [part["type"] for part in engine.requests[0]["messages"][0]["content"]]
    assert kinds.count("image_url") == 2
    refused = start.post(CHAT, json=asked(NUMBER, framesift={"route": "embeds"}))
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        "tokens by the route 'embeds' are taken by 'another' alone, not by 'double'; ask for the "
        "route 'frames'"
    )


def test_a_prompt_that_is_too_long_names_the_share_that_fits(engine, client, monkeypatch):
    line = "This model's maximum context length is 100 tokens. However, you requested 164 tokens."
    monkeypatch.setattr(engine, "refusal", lambda body: line)
    answer = client().post(CHAT, json=asked(NUMBER))
    assert (
        "the tokens fit where 'keep' is 0.50 times what it is"
        in (answer.json()["error"]["message"])
    )
