"""Gemma 4: sizes of frames as its own processor has them, and its special token of videos."""

import json

import pytest

from framesift.errors import InvalidOptionError, ModelError
from framesift.testing import TINY_VLMS
from framesift.types.video import VideoInfo
from framesift.vlms.base import Turn
from framesift.vlms.gemma4 import FRAME_TOKENS, token_grid
from framesift.vlms.load import load_vlm

pytest.importorskip("transformers")

SIZES = [(90, 50), (320, 240), (512, 288), (1280, 720), (2048, 1810), (720, 1280), (3, 2)]
LONG = [(2000, 10), (10, 2000), (900, 12), (4000, 10)]


@pytest.fixture
def folder(tmp_path):
    TINY_VLMS["gemma4"].build(tmp_path)
    return tmp_path


@pytest.mark.torchvision
@pytest.mark.parametrize("most", FRAME_TOKENS)
def test_frames_have_the_size_of_the_familys_own_processor(most):
    from transformers.models.gemma4 import video_processing_gemma4 as own

    for width, height in SIZES + LONG:
        size = own.get_aspect_ratio_preserving_size(height, width, 16, most * 9, 3)
        rows, columns = token_grid(height, width, most=most)
        assert (rows * 48, columns * 48) == size, f"{width}x{height}"


def test_a_frame_may_have_more_tokens(folder):
    info = VideoInfo(
        width_px=1280,
        height_px=720,
        duration_seconds=4.0,
        start_seconds=0.0,
        frame_count=4,
        average_fps=1.0,
        codec="none",
    )
    few, many = (
        load_vlm(f"gemma4:model={folder},max_frame_tokens={most},device=cpu").encoder.fitted(info)
        for most in (70, 280)
    )
    assert few.grid == (6, 11)
    assert many.grid == (12, 22)
    with pytest.raises(InvalidOptionError, match="max_frame_tokens=71"):
        load_vlm(f"gemma4:model={folder},max_frame_tokens=71")


def test_the_mark_of_videos_is_made_special_where_the_checkpoint_has_not(folder):
    settings = json.loads((folder / "tokenizer.json").read_text())
    before = [token["content"] for token in settings["added_tokens"]]
    settings["added_tokens"] = [
        token for token in settings["added_tokens"] if token["content"] != "<|video|>"
    ]
    assert len(settings["added_tokens"]) == len(before) - 1
    (folder / "tokenizer.json").write_text(json.dumps(settings))
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    for name in ("additional_special_tokens", "extra_special_tokens", "added_tokens_decoder"):
        tokenizer.pop(name, None)
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    vlm = load_vlm(str(folder), device="cpu")
    assert vlm.placeholder == "<|video|>"
    assert vlm.tokenizer.convert_tokens_to_ids("<|video|>") == vlm.config.video_token_id


def test_what_the_system_says_is_put_as_it_is(folder):
    vlm = load_vlm(str(folder), device="cpu")
    turns = [
        Turn(role="system", text="Be brief."),
        Turn(role="user", text="What?"),
        Turn(role="assistant", text="A dog."),
        Turn(role="user", text="Where?"),
    ]
    text = vlm.tokenizer.decode(vlm.prompt(turns).input_ids).replace(" ", "")
    assert text.startswith("<s><|turn>system\nBebrief.<turn|>\n<|turn>user\nWhat?<turn|>\n")
    assert text.endswith("<|turn>model\nAdog.<turn|>\n<|turn>user\nWhere?<turn|>\n<|turn>model\n")


def test_dropping_inside_of_windows_is_refused_in_one_line(folder):
    vlm = load_vlm(str(folder), device="cpu")
    with pytest.raises(ModelError, match="sliding_attention") as error, vlm.in_llm(layer=1):
        pass
    assert "\n" not in str(error.value)


def test_a_number_of_tokens_that_nobody_trained_is_refused_in_one_line(folder):
    path = folder / "video_preprocessor_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "max_soft_tokens": "many"}))
    with pytest.raises(ModelError, match="max_soft_tokens=many") as error:
        load_vlm(str(folder), device="cpu")
    assert "\n" not in str(error.value)
    assert load_vlm(f"gemma4:model={folder},max_frame_tokens=140,device=cpu").frame_tokens == 140
