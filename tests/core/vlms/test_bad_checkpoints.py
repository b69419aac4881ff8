"""Checkpoints whose files do not belong together: each ends in one line that says what to do."""

import json
import re
import shutil

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.errors import ModelError  # noqa: E402
from framesift.testing import TINY_VLMS, random_frames  # noqa: E402
from framesift.testing.samples import compressed  # noqa: E402
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.blocks import Block  # noqa: E402
from framesift.vlms.load import load_vlm, nearest  # noqa: E402
from framesift.vlms.marks import check_marks  # noqa: E402

TYPES = ["gemma3", "glm4v", "internvl", "llava", "llava_next", "qwen2_5_vl", "qwen3_vl", "smolvlm"]


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    """A folder, and what its model made of a video."""
    folder, tiny = tmp_path_factory.mktemp("qwen"), TINY_VLMS["qwen2-5-vl"]
    tiny.build(folder)
    tokens = load_vlm(str(folder), device="cpu").encoder.encode(random_frames(2, tiny.size_px))
    kept = torch.arange(tokens.count)
    per_frame = tokens.tokens_per_frame
    plan = TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=per_frame)
    return folder, compressed(tokens, plan)


class Knowing:
    """A tokenizer that has some special tokens."""

    def __init__(self, *tokens):
        kind = transformers.AddedToken
        self.added_tokens_decoder = dict(enumerate(kind(token) for token in tokens))


@pytest.mark.parametrize(
    ("kind", "near"),
    [
        ("internvl_chat", "internvl"),
        ("llava_qwen", "llava"),
        ("qwen3_vl_text", "qwen3_vl"),
        ("qwen2_5_omni", "qwen2_5_vl"),
        ("gemma3n", "gemma3"),
        ("Qwen2-5-VL", "qwen2_5_vl"),
        ("mllama", "llava"),
        ("blip_2", None),
        ("clip", None),
        ("", None),
    ],
)
def test_the_nearest_type_is_of_the_same_family(kind, near):
    assert nearest(kind, TYPES) == near


def test_it_is_named_where_a_type_is_not_supported(tmp_path):
    TINY_VLMS["internvl"].build(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for kind, ending in (("internvl_chat", "'internvl'"), ("blip_2", "one of these")):
        (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": kind}))
        with pytest.raises(ModelError, match=f"type '{kind}'.*{ending}$"):
            load_vlm(str(tmp_path))


@pytest.mark.parametrize("name", ["llava", "llava-next-video", "llava-onevision"])
def test_frames_that_no_step_brings_to_the_size_of_the_tower_are_said(name, tmp_path):
    TINY_VLMS[name].build(tmp_path)
    side = load_vlm(str(tmp_path), device="cpu").encoder.size_px[0]
    for path in tmp_path.glob("*processor_config.json"):
        settings = json.loads(path.read_text())
        for part in (settings, settings.get("image_processor"), settings.get("video_processor")):
            if part:
                part |= {"do_resize": False, "do_center_crop": False}
        path.write_text(json.dumps(settings))
    expected = f"frames of 50x200 px to 50x200, and its vision tower takes {side}x{side}"
    with pytest.raises(ModelError, match=re.escape(expected)):
        load_vlm(str(tmp_path), device="cpu").encoder.encode(random_frames(1, (50, 200)))


@pytest.mark.parametrize("mark", ["<|vision_start|>", "<|vision_end|>"])
def test_marks_that_the_template_writes_and_the_tokenizer_lacks_are_named(qwen, mark, tmp_path):
    folder, video = qwen
    copied = shutil.copytree(folder, tmp_path / "copied")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copied / name).write_text((copied / name).read_text().replace(mark, "<other>"))
    turn = Turn(role="user", text="What is it?", videos=(video,))
    with pytest.raises(ModelError, match=re.escape(repr(mark))):
        load_vlm(str(copied), device="cpu").prompt([turn])


def test_what_people_write_beside_a_picture_is_no_mark():
    block = Block(before="<img>", after="</img>")
    check_marks(Knowing("<img>", "</img>"), ["I said <b>", "<image>", "<i>what?</i>"], [block])
    check_marks(Knowing(), ["User:", "<image>", "<|what|>?"], [Block()])
    check_marks(Knowing("<|a|>", "<|b|>"), ["<|a|>", "<image>", "<|b|><|c|>"], [Block()])


@pytest.mark.parametrize("lost", ["<img>", "</img>", "<|a|>", "<|b|>"])
def test_each_mark_that_is_lost_is_named(lost):
    known = {"<img>", "</img>", "<|a|>", "<|b|>"} - {lost}
    block = Block(before="\n<12.3 seconds>Frame <1>: <img>", after="</img>")
    with pytest.raises(ModelError, match=re.escape(f"no special token {lost!r}")):
        check_marks(Knowing(*known, "<1>"), ["hi <|a|>", "<image>", "<|b|>"], [block])


def test_weights_that_are_cut_are_called_damaged_not_absent(qwen, tmp_path):
    copied = shutil.copytree(qwen[0], tmp_path / "copied")
    whole = (copied / "model.safetensors").read_bytes()
    for left in (0, 5, len(whole) // 2, len(whole) - 1):
        (copied / "model.safetensors").write_bytes(whole[:left])
        with pytest.raises(ModelError, match="cut or damaged; take all those that came") as error:
            load_vlm(str(copied), device="cpu")
        assert "hub id" not in str(error.value)
