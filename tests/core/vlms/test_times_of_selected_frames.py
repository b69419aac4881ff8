"""Selected frames keep their true times on the way into a model that is told of time.

A processor of Qwen that is handed a list of pictures takes them for frames of 2 per second.
"""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

transformers = pytest.importorskip("transformers")

from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor  # noqa: E402

import framesift  # noqa: E402
from framesift.selectors.base import Selection, Selector  # noqa: E402
from framesift.testing import TINY_VLMS  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

CLIP = "synthetic://number?seed=3&seconds=40&width=160&height=96"
TIMES = [3.0, 9.0, 20.0, 31.0]
INVENTED_FPS = 2.0


@dataclass(frozen=True, kw_only=True)
class At(Selector):
    """Picks the frames at `TIMES`, as a rule over scores would pick uneven ones."""

    def choose(self, candidates, count, question):
        times = candidates.pts_seconds.tolist()
        return Selection(
            indices=tuple(map(times.index, TIMES)), scores=(1.0,) * 4, reasons=("there",) * 4
        )


@pytest.fixture(scope="module", params=["qwen2-5-vl", "qwen3-vl"])
def vlm(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    TINY_VLMS[request.param].build(folder)
    return replace(load_vlm(str(folder), device="cpu"), max_step_tokens=6)


@pytest.fixture(scope="module")
def video(vlm):
    sift = framesift.VideoCompressor(vlm=vlm, keep=1.0, selector=At(), max_frames=4)
    return sift.compress(CLIP)


def test_steps_know_both_of_their_frames(video):
    assert video.report.selection.picked_seconds == TIMES
    assert video.step_seconds.tolist() == [TIMES[:2], TIMES[2:]]
    assert video.frame_seconds.tolist() == TIMES[::2]


def test_the_model_is_told_the_true_times_and_not_those_of_two_frames_a_second(vlm, video):
    prompt = vlm.prompt([Turn(role="user", text="Why?", videos=(video,))])
    invented = [place / INVENTED_FPS for place in range(4)]
    if "qwen3" in type(vlm).__module__:
        text = "".join(vlm.tokenizer.convert_ids_to_tokens(prompt.input_ids))
        own = SimpleNamespace()
        stamps = Qwen3VLProcessor._calculate_timestamps
        for place, (true, wrong) in enumerate(
            zip(stamps(own, TIMES, 1, 2), stamps(own, invented, 1, 2), strict=True)
        ):
            assert true == sum(TIMES[2 * place : 2 * place + 2]) / 2
            assert f"<{true:.1f} seconds>" in text
            assert f"<{wrong:.1f} seconds>" not in text
    else:
        told = vlm.timing([video])["second_per_grid_ts"].tolist()
        assert told == pytest.approx([2 * (TIMES[-1] - TIMES[0]) / 3])
        assert told != pytest.approx([2 / INVENTED_FPS])
        each = vlm.config.vision_config.tokens_per_second
        times = prompt.position_ids[0, prompt.visual]
        assert int(times.max() - times.min()) == int(told[0] * each)


def test_an_answer_rests_on_the_true_times(vlm, video):
    answer = framesift.VideoCompressor(vlm=vlm).ask(
        video, "Why?", generation=framesift.Generation(max_new_tokens=2)
    )
    for part in answer.evidence:
        assert 3.0 <= part.start_seconds <= part.keyframe_seconds <= part.end_seconds <= 40.0
        assert part.keyframe_seconds in TIMES
