"""What is handed to an engine says the same as what our own path injects."""

import base64
import io
from dataclasses import replace
from functools import cache

import pytest
import torch
from PIL import Image

transformers = pytest.importorskip("transformers")

from transformers.modeling_outputs import BaseModelOutputWithPooling  # noqa: E402
from transformers.models.qwen3_vl.modeling_qwen3_vl import (  # noqa: E402
    BaseModelOutputWithDeepstackFeatures,
)

from framesift.errors import InvalidOptionError, ModelError  # noqa: E402
from framesift.export import engines  # noqa: E402
from framesift.strategies.base import create_strategy  # noqa: E402
from framesift.testing import (  # noqa: E402
    TINY_VLMS,
    assert_near,
    compressed,
    random_frames,
)
from framesift.types.compressed import Keyframe  # noqa: E402
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.types.video import VideoInfo  # noqa: E402
from framesift.vlms import registry  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402

QUESTION = "What is it?"
MATRICES = (
    *("llava", "llava-next-video", "llava-onevision", "internvl", "smolvlm"),
    *("qwen2-vl", "qwen2-5-vl", "qwen3-5"),
)
GRIDS = ("qwen2-vl", "qwen2-5-vl", "qwen3-vl", "qwen3-vl-moe")


class Case:
    def __init__(self, name, folder):
        tiny = TINY_VLMS[name]
        tiny.build(folder)
        self.vlm = registry.create(tiny.family, model=str(folder), device="cpu", **tiny.options)
        self.size_px = tiny.size_px

    def tokens(self, frames=4):
        height, width = self.size_px
        info = VideoInfo(
            width_px=width,
            height_px=height,
            duration_seconds=float(frames),
            start_seconds=0.0,
            frame_count=frames,
            average_fps=1.0,
            codec="none",
        )
        return self.vlm.encoder.fitted(info).encode(random_frames(frames, self.size_px))

    def video(self, frames=4, *, keep=lambda token, per_frame: True):
        """Returns the video with the tokens that `keep` is true for."""
        tokens = self.tokens(frames)
        per_frame = tokens.tokens_per_frame
        kept = torch.tensor([n for n in range(tokens.count) if keep(n, per_frame)])
        plan = TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=per_frame)
        return compressed(tokens, plan)

    def prompt(self, video, **options):
        return self.vlm.prompt([Turn(role="user", text=QUESTION, videos=(video,))], **options)

    @torch.no_grad()
    def logits(self, **inputs):
        return self.vlm.hf(**inputs).logits[0]


@pytest.fixture(scope="session")
def case(tmp_path_factory):
    return cache(lambda name: Case(name, tmp_path_factory.mktemp(f"handoff_{name}")))


def sparse(token, per_frame):
    """Keeps a third of the tokens, and none of the second frame."""
    return token % 3 == 0 and token // per_frame != 1


def close(found, expected):
    assert_near(found, expected)


@pytest.mark.parametrize("name", MATRICES)
def test_the_language_model_alone_says_the_same_of_prompt_embeddings(case, name):
    case = case(name)
    prompt = case.prompt(case.video(keep=sparse), positions="compact")
    embeds = engines.prompt_embeds(case.vlm, prompt)
    assert embeds.shape == (len(prompt.input_ids), case.vlm.width)
    assert embeds.dtype == case.vlm.hf.dtype
    assert not embeds.requires_grad
    with torch.no_grad():
        hidden = case.vlm.hf.get_decoder()(inputs_embeds=embeds[None]).last_hidden_state
        found = case.vlm.hf.lm_head(hidden)[0]
    close(found, case.logits(**prompt.inputs()))
    whole = {"inputs_embeds": embeds[None], "attention_mask": torch.ones(1, len(embeds))}
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    said = case.vlm.hf.generate(**prompt.inputs(), **options)[0, len(embeds) :]
    assert torch.equal(case.vlm.hf.generate(**whole, **options)[0], said)


def test_a_whole_prompt_has_no_gaps_to_refuse(case):
    case = case("llava")
    prompt = case.prompt(case.video())
    assert prompt.positions == "original"
    embeds = engines.prompt_embeds(case.vlm, prompt)
    close(case.logits(inputs_embeds=embeds[None]), case.logits(**prompt.inputs()))


@pytest.mark.parametrize(("name", "keep"), [("llava", sparse), ("qwen2-5-vl", lambda *_: True)])
def test_positions_that_an_engine_would_not_count_are_refused(case, name, keep):
    case = case(name)
    prompt = case.prompt(case.video(keep=keep), positions="original")
    with pytest.raises(ModelError, match="positions='compact'") as error:
        engines.prompt_embeds(case.vlm, prompt)
    assert "\n" not in str(error.value)


def test_features_for_deeper_layers_do_not_fit_into_a_prompt_matrix(case):
    case = case("qwen3-vl")
    prompt = case.prompt(case.video(), positions="compact")
    with pytest.raises(ModelError, match="image_embeds"):
        engines.prompt_embeds(case.vlm, prompt)


@pytest.mark.parametrize("name", ["gemma3", "gemma4"])
def test_columns_that_are_pictures_do_not_fit_into_a_prompt_matrix(case, name):
    case = case(name)
    prompt = case.prompt(case.video(), positions="compact")
    with pytest.raises(ModelError, match="columns that hold pictures") as error:
        engines.prompt_embeds(case.vlm, prompt)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", MATRICES)
def test_content_embeddings_are_the_whole_prompt_once_the_template_is_around_them(case, name):
    case = case(name)
    video = case.video(keep=sparse)
    content = engines.content_embeds(case.vlm, video)
    whole = engines.prompt_embeds(case.vlm, case.prompt(video, positions="compact"))
    text = case.vlm.prompt([Turn(role="user", text=QUESTION)], positions="compact")
    bare = engines.prompt_embeds(case.vlm, text)
    places = [at for at in range(len(bare) + 1) if torch.equal(bare[:at], whole[:at])]
    spliced = [torch.cat([bare[:at], content, bare[at:]]) for at in places]
    assert any(torch.equal(made, whole) for made in spliced)


def test_content_for_deeper_layers_is_refused_too(case):
    case = case("qwen3-vl")
    with pytest.raises(ModelError, match="image_embeds"):
        engines.content_embeds(case.vlm, case.video())


def as_engine(case, given, text):
    """Returns the logits of a text whose pictures are put in as an engine does."""
    ids = case.vlm.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    pictures = given.multi_modal_data()["image"]
    pooled = pictures if case.vlm.listed else torch.cat(pictures)[None]
    outputs = {"image": BaseModelOutputWithPooling(pooler_output=pooled)}
    return ids[0], case.logits(input_ids=ids, mm_encoder_outputs=outputs)


def rendered(case, kind, items):
    content = [*({"type": kind} for _ in range(items)), {"type": "text", "text": QUESTION}]
    bos = case.vlm.tokenizer.bos_token
    return bos + case.vlm.tokenizer.apply_chat_template(
        [{"role": "user", "content": content}],
        chat_template=case.vlm.chat_template,
        tokenize=False,
        add_generation_prompt=True,
    )


def test_llava_reads_pictures_as_its_frames(case):
    case = case("llava")
    video = case.video(keep=sparse)
    given = engines.image_embeds(case.vlm, video)
    assert given.grid_thw is None
    assert given.pts_seconds.tolist() == [0.0, 2.0, 3.0]
    assert [picture.shape for picture in given.pictures] == [
        (count, case.vlm.width) for count in given.counts
    ]
    head, *tails = rendered(case, "image", 3).split("<image>")
    text = head + "".join(
        "<image>" * count + tail for count, tail in zip(given.counts.tolist(), tails, strict=True)
    )
    prompt = case.prompt(video, positions="compact")
    ids, found = as_engine(case, given, text)
    assert torch.equal(ids, prompt.input_ids)
    close(found, case.logits(**prompt.inputs()))


def test_internvl_reads_pictures_between_its_marks(case):
    case = case("internvl")
    video = case.video(keep=sparse)
    given = engines.image_embeds(case.vlm, video)
    token = case.vlm.tokenizer.convert_ids_to_tokens(case.vlm.visual_id)
    numbers = (1, 3, 4)
    lines = [
        f"Frame{number}: <img>{token * count}</img>"
        for number, count in zip(numbers, given.counts.tolist(), strict=True)
    ]
    text = rendered(case, "video", 1).replace("<video>", "\n".join(lines))
    prompt = case.prompt(video, positions="compact")
    ids, found = as_engine(case, given, text)
    assert torch.equal(ids, prompt.input_ids)
    close(found, case.logits(**prompt.inputs()))


def grid_inputs(case, given, prompt):
    """Returns the arguments of transformers for pictures with grids, at the prompt's columns."""
    config, merge = case.vlm.config, case.vlm.config.vision_config.spatial_merge_size
    data = given.multi_modal_data()["image"]
    assert data["image_grid_thw"].dtype == torch.int64
    sizes = data["image_grid_thw"].prod(1) // merge**2
    assert torch.equal(sizes, given.counts)
    ids = torch.where(prompt.visual, config.image_token_id, prompt.input_ids)[None]
    parts = data["image_embeds"].split(case.vlm.width, dim=1)
    split = [list(part.split(sizes.tolist())) for part in parts]
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": prompt.visual[None].int(),
        "image_grid_thw": data["image_grid_thw"],
        "mm_encoder_outputs": {
            "image": BaseModelOutputWithDeepstackFeatures(
                pooler_output=split[0], deepstack_features=split[1:]
            )
        },
    }


@pytest.mark.parametrize("name", GRIDS)
def test_qwen_counts_the_positions_of_a_whole_frame_by_its_grid(case, name):
    case = case(name)
    video = case.video(frames=2)
    given = engines.image_embeds(case.vlm, video)
    height, width = video.report.grid
    assert given.grid_thw.tolist() == [[1, 2 * height, 2 * width]]
    depth = 0 if video.layers is None else video.layers.shape[1]
    assert given.embeds.shape == (height * width, case.vlm.width * (1 + depth))
    prompt = case.prompt(video)
    close(case.logits(**grid_inputs(case, given, prompt)), case.logits(**prompt.inputs()))


@pytest.mark.parametrize("name", GRIDS)
def test_qwen_lines_up_what_is_left_of_a_frame(case, name):
    case = case(name)
    video = case.video(frames=2, keep=lambda token, per_frame: token % 3 == 0)
    given = engines.image_embeds(case.vlm, video)
    assert given.grid_thw.tolist() == [[1, 2, 2 * len(video.tokens)]]
    prompt = case.prompt(video)
    inputs = grid_inputs(case, given, prompt)
    places = case.vlm.hf.base_model.get_rope_index(
        inputs["input_ids"],
        mm_token_type_ids=inputs["mm_token_type_ids"],
        image_grid_thw=given.grid_thw,
    )[0]
    row = places[:, 0, prompt.visual]
    assert (row[2] - row[2, 0]).tolist() == list(range(len(video.tokens)))
    expected = case.logits(**{**prompt.inputs(), "position_ids": places})
    close(case.logits(**inputs), expected)


def test_several_frames_are_several_pictures_with_a_grid_each(case):
    case = case("qwen2-5-vl")
    video = case.video(frames=6, keep=lambda n, per_frame: n < per_frame or n == 2 * per_frame + 1)
    given = engines.image_embeds(case.vlm, video)
    height, width = video.report.grid
    assert given.grid_thw.tolist() == [[1, 2 * height, 2 * width], [1, 2, 2]]
    assert given.pts_seconds.tolist() == [0.0, 4.0]


def test_a_frame_that_is_averaged_over_cells_has_their_grid(case):
    case = case("qwen2-5-vl")
    tokens = case.tokens(frames=4)
    (height, width), places = tokens.grid, torch.arange(tokens.count)
    frame, row, column = (
        places // (height * width),
        places % (height * width) // width,
        places % width,
    )
    halves = frame * 10**6 + row // 2 * 1000 + column
    whole_frame_last = torch.where(frame == tokens.frame_count - 1, places + 10**9, halves)
    plan = TokenPlan.merge(whole_frame_last, tokens_per_frame=tokens.tokens_per_frame)
    given = engines.image_embeds(case.vlm, compressed(tokens, plan))
    cells = [1, 2 * -(-height // 2), 2 * width]
    assert given.grid_thw.tolist() == [cells] * (tokens.frame_count - 1) + [
        [1, 2 * height, 2 * width]
    ]


@pytest.mark.parametrize("name", ["llava", "internvl", "qwen2-5-vl"])
def test_a_segment_is_a_picture_of_its_key_frame_and_one_of_its_motion(case, name):
    case = case(name)
    tokens = case.tokens(frames=16 if name in GRIDS else 8)
    strategy = create_strategy("slow-fast:key_stride=1,time_stride=2")
    plan = strategy.plan(tokens, tokens.count - 1)
    assert tokens.frame_count == 8
    given = engines.image_embeds(case.vlm, compressed(tokens, plan))
    key, time = (tuple(-(-side // stride) for side in tokens.grid) for stride in (1, 2))
    assert given.counts.tolist() == [key[0] * key[1], time[0] * time[1]] * 2
    seconds = tokens.pts_seconds[[0, 2, 4, 6]].double()
    assert torch.equal(given.pts_seconds, seconds)
    if name in GRIDS:
        assert (
            given.grid_thw.tolist()
            == [[1, 2 * rows, 2 * columns] for rows, columns in (key, time)] * 2
        )


def test_a_merged_token_goes_to_its_mean_frame(case):
    case = case("llava")
    tokens = case.tokens()
    group = torch.arange(tokens.count) % 2
    video = compressed(tokens, TokenPlan.merge(group, tokens_per_frame=tokens.tokens_per_frame))
    given = engines.image_embeds(case.vlm, video)
    assert given.counts.tolist() == [2]
    assert given.pts_seconds.tolist() == [2.0]


@pytest.mark.parametrize(
    "name", ["gemma3", "glm4v", "llava-onevision", "llava-next-video", "smolvlm"]
)
def test_families_that_no_engine_takes_encoded_are_refused(case, name):
    case = case(name)
    with pytest.raises(ModelError, match=r"internvl, llava, .*prompt_embeds") as error:
        engines.image_embeds(case.vlm, case.video())
    assert "\n" not in str(error.value)


def test_tokens_of_another_encoder_are_refused(case):
    case = case("llava")
    video = case.video()
    wider = replace(video, tokens=torch.zeros(len(video.tokens), case.vlm.width + 1))
    with pytest.raises(ModelError, match=f"takes {case.vlm.width}"):
        engines.image_embeds(case.vlm, wider)


@pytest.mark.parametrize("name", ["llava", "qwen3-vl"])
def test_image_embeddings_come_back_from_a_file(case, name, tmp_path):
    case = case(name)
    given = engines.image_embeds(case.vlm, case.video(keep=sparse))
    path = given.save(tmp_path / "made" / "video.safetensors")
    found = engines.ImageEmbeds.load(path)
    assert torch.equal(found.embeds, given.embeds)
    assert torch.equal(found.counts, given.counts)
    assert torch.equal(found.pts_seconds, given.pts_seconds)
    assert (found.grid_thw is None) == (given.grid_thw is None)
    assert found.grid_thw is None or torch.equal(found.grid_thw, given.grid_thw)


def test_a_file_of_something_else_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    for name in ("model.safetensors", "text.safetensors"):
        with pytest.raises(ModelError, match=name) as error:
            engines.ImageEmbeds.load(tmp_path / name)
        assert "\n" not in str(error.value)


def keyframe(seconds, size=(64, 36)):
    picture = Image.new("RGB", size, (200, 30, 30))
    return Keyframe(image=picture, pts_seconds=seconds, score=1.0, reason="test")


def pictures_in(content):
    for part in content:
        if part["type"] == "image_url":
            head, _, data = part["image_url"]["url"].partition(",")
            assert head == "data:image/jpeg;base64"
            yield Image.open(io.BytesIO(base64.b64decode(data)))


def test_keyframes_become_times_and_pictures_with_the_question_last():
    frames = [keyframe(0.4), keyframe(67.9), keyframe(3723)]
    content = engines.openai_content(frames, QUESTION, detail="low")
    texts = [part["text"] for part in content if part["type"] == "text"]
    assert texts == ["[00:00]", "[01:07]", "[1:02:03]", QUESTION]
    assert [part["type"] for part in content] == [*["text", "image_url"] * 3, "text"]
    assert {part["image_url"]["detail"] for part in content if "image_url" in part} == {"low"}
    for picture in pictures_in(content):
        assert picture.size == (64, 36)
        assert picture.convert("RGB").getpixel((5, 5))[0] > 180


def test_large_keyframes_are_made_smaller_and_small_ones_left():
    frames = [keyframe(0, (640, 360)), keyframe(1, (64, 36)), keyframe(2, (1, 1000))]
    content = engines.openai_content(frames, QUESTION, max_side_px=100)
    assert [picture.size for picture in pictures_in(content)] == [(100, 56), (64, 36), (1, 100)]


def test_lower_quality_makes_shorter_urls():
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    frame = Keyframe(image=noise, pts_seconds=0.0, score=1.0, reason="test")
    low, high = (engines.openai_content([frame], QUESTION, quality=q) for q in (20, 95))
    assert len(low[1]["image_url"]["url"]) < len(high[1]["image_url"]["url"]) / 2


@pytest.mark.parametrize(
    ("frames", "question", "options"),
    [
        ([], QUESTION, {}),
        ([0.0], " ", {}),
        ([0.0], QUESTION, {"max_side_px": 0}),
        ([0.0], QUESTION, {"quality": 0}),
        ([0.0], QUESTION, {"quality": 96}),
    ],
)
def test_what_makes_no_message_is_refused(frames, question, options):
    with pytest.raises(InvalidOptionError) as error:
        engines.openai_content([keyframe(time) for time in frames], question, **options)
    assert "\n" not in str(error.value)
