"""True times on their way into a model's own processor, and the tokens counted there."""

import re

import numpy as np
import pytest
import torch

from framesift.errors import ModelError
from framesift.testing import TINY_VLMS
from framesift.testing.tiny_vlms import chat
from framesift_lmms_eval.timed_processor import (
    MOST_WAITING,
    Prompts,
    TimedProcessor,
    video_metadata,
)

TIMES = (0.0, 1.0, 7.5)


class Recorder:
    """A processor that keeps what it is called with and gives two tokens, one of them visual."""

    video_token_id = 9
    name = "recorder"

    def __init__(self):
        self.calls = []

    def __call__(self, **kwargs):
        self.calls.append(kwargs)
        return {
            "input_ids": torch.tensor([[0, 9, 9, 4], [1, 9, 4, 4]]),
            "attention_mask": torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]]),
        }


def expecting(*prompts):
    prompts_of_run = Prompts()
    for number, times in enumerate(prompts):
        prompts_of_run.expect(number, frames=sum(map(len, times)), times=times)
    return prompts_of_run


def test_number_by_rate_is_the_time_and_the_average_rate_keeps_the_ends():
    told = video_metadata(TIMES)
    assert [number / told["fps"] for number in told["frames_indices"]] == list(TIMES)
    sampled_fps = len(TIMES) / told["total_num_frames"] * told["fps"]
    assert 2 / sampled_fps == pytest.approx(7.5)


def test_repeated_frames_repeat_the_last_time():
    assert video_metadata(TIMES, 4)["frames_indices"] == [0, 1000, 7500, 7500]


def test_one_frame_has_a_time_and_a_rate():
    told = video_metadata((4.2,))
    assert (told["frames_indices"], told["total_num_frames"]) == ([4200], 1000)


def test_calls_are_told_the_times_of_all_their_videos_in_order():
    prompts, recorder = expecting([TIMES], [(2.0,), (3.0, 4.0)]), Recorder()
    processor = TimedProcessor(recorder, prompts)
    processor(videos=[[0] * 3, [0] * 2, [0] * 2], do_sample_frames=True, images=[], fps=2)
    (call,) = recorder.calls
    assert [told["frames_indices"] for told in call["video_metadata"]] == [
        [0, 1000, 7500],
        [2000, 2000],
        [3000, 4000],
    ]
    assert call["do_sample_frames"] is False
    assert "images" not in call
    assert call["fps"] == 2
    assert processor.name == "recorder"
    prompts.check_taken()


def test_options_within_videos_kwargs_are_told_there():
    recorder = Recorder()
    TimedProcessor(recorder, expecting([TIMES]))(
        videos=[[0] * 3], videos_kwargs={"do_sample_frames": True, "fps": 2}
    )
    inside = recorder.calls[0]["videos_kwargs"]
    assert (inside["do_sample_frames"], inside["fps"]) == (False, 2)
    assert "video_metadata" in inside
    assert "video_metadata" not in recorder.calls[0]


def test_tokens_are_counted_by_prompt_without_padding():
    prompts = expecting([(1.0,)], [])
    TimedProcessor(Recorder(), prompts)(videos=[np.zeros((1, 2, 2, 3))])
    counts = [(c.frames, c.input_tokens, c.visual_tokens) for c in prompts.counts.values()]
    assert counts == [(1, 3, 2), (0, 4, 1)]


def test_a_call_that_is_about_no_sample_goes_through_as_it_is():
    recorder = Recorder()
    TimedProcessor(recorder, Prompts())(text="t", videos=[[0]])
    assert recorder.calls == [{"text": "t", "videos": [[0]]}]


@pytest.mark.parametrize("videos", [None, [[0] * 2], [[0] * 5], [[0] * 3, [0] * 3]])
def test_frames_that_are_not_the_selected_ones_are_told(videos):
    processor = TimedProcessor(Recorder(), expecting([TIMES]))
    with pytest.raises(ModelError, match=re.escape("[3] were selected, so it would not know")):
        processor(videos=videos)


def test_a_model_that_leaves_its_processor_aside_is_timed_soon():
    prompts = expecting([TIMES])
    with pytest.raises(ModelError, match="pass frames_as=images"):
        prompts.check_taken()
    with pytest.raises(ModelError, match="pass frames_as=images"):
        expecting(*[[TIMES]] * (MOST_WAITING + 1))


def test_pictures_that_carry_their_times_as_text_wait_for_nothing():
    prompts = expecting(*[[]] * (2 * MOST_WAITING))
    prompts.check_taken()


def _qwen(folder, family, video, frames, times):
    import transformers

    processor = getattr(transformers, f"{family}Processor")(
        image_processor=transformers.Qwen2VLImageProcessorPil.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=getattr(transformers, f"{video}VideoProcessor").from_pretrained(folder),
    )
    timed = TimedProcessor(processor, expecting([times]))
    pictures = [np.full((64, 64, 3), 30 * n, np.uint8) for n in range(frames)]
    inputs = timed(text=[chat(folder, "What?", "video", 1)], videos=[pictures], return_tensors="pt")
    return processor.tokenizer.decode(inputs["input_ids"][0]).replace(" ", ""), inputs


@pytest.mark.torchvision
def test_qwen3_vl_reads_the_true_times_of_its_pairs_of_frames(tmp_path):
    TINY_VLMS["qwen3-vl"].build(tmp_path)
    text, _ = _qwen(tmp_path, "Qwen3VL", "Qwen3VL", 4, (0.4, 0.6, 7.5, 91.3))
    assert re.findall(r"<([\d.]+)seconds>", text) == ["0.5", "49.4"]
    text, _ = _qwen(tmp_path, "Qwen3VL", "Qwen3VL", 3, (1.0, 2.0, 7.5))
    assert re.findall(r"<([\d.]+)seconds>", text) == ["1.5", "7.5"]


@pytest.mark.torchvision
def test_qwen2_5_vl_reads_the_mean_interval(tmp_path):
    TINY_VLMS["qwen2-5-vl"].build(tmp_path)
    _, inputs = _qwen(tmp_path, "Qwen2_5_VL", "Qwen2VL", 4, (0.0, 1.0, 2.0, 9.0))
    assert torch.as_tensor(inputs["second_per_grid_ts"]).tolist() == pytest.approx([6.0])
