"""LLMs whose attention is more than `sdpa`: answers are theirs, what cannot be read is said."""

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.answering.generation import Generation  # noqa: E402
from framesift.compression.compressor import VideoCompressor  # noqa: E402
from framesift.errors import ModelError  # noqa: E402
from framesift.testing.tiny_vlms import CHAT, CLIP, LLAMA, save_tokenizer  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

VIDEO = "synthetic://mixed?seconds=3&width=64&height=64"
QUESTION = "What is it?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A LLaVA whose LLM has attention sinks."""
    folder = tmp_path_factory.mktemp("sinks")
    tokenizer = save_tokenizer(folder, ["<image>"], CHAT)
    experts = {"num_local_experts": 2, "num_experts_per_tok": 1}
    llm = {**LLAMA, **experts, "model_type": "gpt_oss", "head_dim": 8, "sliding_window": 16}
    config = transformers.LlavaConfig(
        vision_config=CLIP,
        text_config={**llm, "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    torch.manual_seed(0)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    prepared = transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size)
    prepared.save_pretrained(folder)
    return str(folder)


def test_a_model_without_sdpa_says_how_to_load_it(folder):
    with pytest.raises(ModelError, match=r"load it with attention='eager'$") as error:
        load_vlm(folder, device="cpu")
    assert "\n" not in str(error.value)


def test_its_answer_is_that_of_the_whole_model_and_its_evidence_is_by_similarity(folder):
    vlm = load_vlm(folder, device="cpu", attention="eager")
    sift = VideoCompressor(vlm=vlm, strategy="uniform", keep=0.5)
    video, greedy = sift.compress(VIDEO), Generation(max_new_tokens=6)
    answer = sift.ask(video, QUESTION, generation=greedy)
    prompt = vlm.prompt([Turn(role="user", text=QUESTION, videos=(video,))])
    own = vlm.hf.generate(**prompt.inputs(), max_new_tokens=6, do_sample=False, pad_token_id=0)
    said = vlm.tokenizer.decode(own[0, len(prompt.input_ids) :], skip_special_tokens=True)
    assert answer.text == said.strip()
    assert all("similar to the question" in each.reason for each in answer.evidence)
    with pytest.raises(ModelError, match=r"s_aux.*evidence='similarity'"):
        sift.ask(video, QUESTION, generation=greedy, evidence="attention")


def test_a_chat_goes_on_after_evidence_that_could_not_be_read(folder):
    vlm = load_vlm(folder, device="cpu", attention="eager")
    sift = VideoCompressor(vlm=vlm, strategy="uniform", keep=0.5)
    video, greedy = sift.compress(VIDEO), Generation(max_new_tokens=6)
    questions = ["What is it?", "Where is it?", "What is it?"]
    alone = [sift.ask(video, each, generation=greedy, evidence=None).text for each in questions]
    with sift.open(video) as chat:
        assert [chat.ask(each, generation=greedy).text for each in questions] == alone
