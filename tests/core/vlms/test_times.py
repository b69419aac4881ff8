"""Times that a model reads are those which its family's own processor makes of the true ones."""

from dataclasses import dataclass, replace
from fractions import Fraction
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import (  # noqa: E402
    Qwen2_5_VLProcessor,
)
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor  # noqa: E402
from transformers.models.smolvlm import processing_smolvlm  # noqa: E402
from transformers.video_utils import VideoMetadata  # noqa: E402

import framesift  # noqa: E402
from framesift import load  # noqa: E402
from framesift.decoders import registry as decoders  # noqa: E402
from framesift.decoders.base import Decoder  # noqa: E402
from framesift.errors import InvalidTokensError  # noqa: E402
from framesift.testing import TINY_VLMS, compressed, random_frames  # noqa: E402
from framesift.types.frames import Frames  # noqa: E402
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.types.video import VideoInfo  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

GAPS = [0, 1, 2, 3, 4, 64, 65, 66, 67, 127, 128, 129]
CLIPS = {
    "gaps": GAPS,
    "odd": GAPS[:5],
    "odd, the last one far off": [*GAPS[:4], 599.5],
    "one": [7.25],
    "two": [1 / 3, 61.7],
    "late": [3600.04, 3600.4, 3661, 3671.96, 3700.5, 3700.54],
    "fast": [n / 7 for n in range(9)],
}
TICKS = 10**6


def metadata(times):
    """Returns what tells a processor the true times, and their mean rate."""
    numbers = [round(time * TICKS) for time in times]
    steps = len(numbers) - 1
    rate = steps * TICKS / (numbers[-1] - numbers[0]) if steps else 1.0
    return VideoMetadata(
        total_num_frames=round(len(numbers) / rate * TICKS),
        fps=TICKS,
        frames_indices=numbers,
        duration=times[-1] + 1,
    )


def grid_of(video):
    return torch.tensor([[len(video.frame_seconds), *(2 * side for side in video.report.grid)]])


class Processing:
    """What a family's processor writes for a video, by its own code and without torchvision."""

    @staticmethod
    def qwen3_vl(vlm, video, times):
        own = SimpleNamespace(
            video_processor=SimpleNamespace(merge_size=2, temporal_patch_size=2),
            vision_start_token="<|vision_start|>",
            vision_end_token="<|vision_end|>",
            video_token="<|video_pad|>",
        )
        own._calculate_timestamps = Qwen3VLProcessor._calculate_timestamps.__get__(own)
        given = {"video_grid_thw": grid_of(video), "video_metadata": [metadata(times)]}
        return Qwen3VLProcessor.replace_video_token(own, given, 0)

    @staticmethod
    def smolvlm(vlm, video, times):
        own = SimpleNamespace(
            fake_image_token="<fake_token_around_image>",
            global_image_token="<global-img>",
            image_token="<image>",
            image_seq_len=4,
        )
        given = {"pixel_values": np.empty((1, len(times))), "video_metadata": [metadata(times)]}
        return processing_smolvlm.SmolVLMProcessor.replace_video_token(own, given, 0)

    @staticmethod
    def qwen2_5_vl(vlm, video, times):
        processor = object.__new__(Qwen2_5_VLProcessor)
        processor.video_token = None
        given = {"video_grid_thw": grid_of(video), "video_metadata": [metadata(times)]}
        processor.video_processor = type(
            "Given", (), {"temporal_patch_size": 2, "__call__": lambda *_, **__: given}
        )()
        return processor._process_videos([None])[0]["second_per_grid_ts"]


@pytest.fixture(scope="module", autouse=True)
def counts_in_words():
    before = getattr(processing_smolvlm, "num2words", None)
    words = {1: "one", 2: "two", 5: "five", 6: "six", 9: "nine", 12: "twelve"}
    processing_smolvlm.num2words = words.__getitem__
    yield
    processing_smolvlm.num2words = before


@pytest.fixture(scope="module")
def vlms(tmp_path_factory):
    found = {}
    for name in ("qwen3-vl", "qwen2-5-vl", "smolvlm"):
        folder = tmp_path_factory.mktemp(name)
        TINY_VLMS[name].build(folder)
        vlm = load_vlm(str(folder), device="cpu")
        qwen = name.startswith("qwen")
        found[name] = replace(vlm, max_step_tokens=6) if qwen else vlm
    return found


def encoder_of(vlm, size):
    info = VideoInfo(
        width_px=size[1],
        height_px=size[0],
        duration_seconds=1.0,
        start_seconds=0.0,
        frame_count=1,
        average_fps=1.0,
        codec="none",
    )
    return vlm.encoder.fitted(info)


def seen(vlm, times, size=(64, 96)):
    """Returns a video of which every token is kept, with frames at some times."""
    noise = random_frames(len(times), size)
    frames = Frames(data=noise.data, pts_seconds=np.array(times, float), indices=noise.indices)
    tokens = encoder_of(vlm, size).encode(frames)
    per_frame = tokens.tokens_per_frame
    plan = TokenPlan.keep(
        torch.arange(tokens.count), num_in=tokens.count, tokens_per_frame=per_frame
    )
    video = compressed(tokens, plan)
    report = video.report.model_copy(update={"duration_seconds": times[-1] + 1})
    return replace(video, report=report)


def text_of(vlm, *videos):
    ids = vlm.prompt([Turn(role="user", text="Why?", videos=videos)]).input_ids
    return "".join(vlm.tokenizer.convert_ids_to_tokens(ids))


@pytest.mark.parametrize("name", ["qwen3-vl", "smolvlm"])
@pytest.mark.parametrize("times", CLIPS.values(), ids=CLIPS)
def test_times_as_text(vlms, name, times):
    vlm = vlms[name]
    video = seen(vlm, times)
    expected = getattr(Processing, name.replace("-", "_"))(vlm, video, times)
    text = text_of(vlm, video)
    assert text.count(expected) == 1
    assert text.count("seconds>" if name == "qwen3-vl" else "Frame from") == (
        -(-len(times) // 2) if name == "qwen3-vl" else len(times)
    )


@pytest.mark.parametrize("times", CLIPS.values(), ids=CLIPS)
def test_times_as_positions(vlms, times):
    vlm = vlms["qwen2-5-vl"]
    video = seen(vlm, times, size=(56, 84))
    prompt = vlm.prompt([Turn(role="user", text="Why?", videos=(video,))], positions="original")
    per_grid = Processing.qwen2_5_vl(vlm, video, times)
    expected = vlm.hf.base_model.get_rope_index(
        prompt.input_ids[None],
        mm_token_type_ids=prompt.visual[None].long() * 2,
        video_grid_thw=grid_of(video),
        second_per_grid_ts=torch.tensor(per_grid),
    )[0][:, 0]
    # One position is a quarter of a second, and the processor rounds less than we do.
    assert int((prompt.position_ids - expected).abs().max()) <= 1
    assert torch.equal(prompt.position_ids[1:, prompt.visual], expected[1:, prompt.visual])


@pytest.fixture
def uneven(write_video, tmp_path):
    path = tmp_path / "uneven.mp4"
    times = [Fraction(time) for time in GAPS]
    return write_video(path, count=len(times), times=times, size=(64, 96))


def marks(text):
    return [float(part.split("<")[-1]) for part in text.split(" seconds>")[:-1]]


@pytest.fixture
def sift(vlms):
    return framesift.VideoCompressor(encoder=vlms["qwen3-vl"].encoder, keep=1.0)


def test_a_recording_with_gaps_has_the_times_of_its_pairs_of_frames(vlms, uneven, sift, tmp_path):
    vlm, found = vlms["qwen3-vl"], sift.compress(uneven)
    expected = [0.5, 2.5, 34.0, 65.5, 97.0, 128.5]
    assert marks(text_of(vlm, found)) == expected
    torch.testing.assert_close(found.step_seconds, torch.tensor(GAPS).double().view(-1, 2))
    found.save(tmp_path / "kept")
    again = load(tmp_path / "kept")
    assert torch.equal(again.step_seconds, found.step_seconds)
    assert marks(text_of(vlm, again, found)) == 2 * expected


@pytest.mark.parametrize("gate", [None, 8, 255])
def test_what_a_gate_copies_has_its_own_times(vlms, uneven, sift, gate):
    found = replace(sift, gate=gate).compress(uneven)
    assert marks(text_of(vlms["qwen3-vl"], found)) == [0.5, 2.5, 34.0, 65.5, 97.0, 128.5]


def test_fewer_frames_and_parts_have_the_times_of_their_own_pairs(vlms, uneven, sift):
    vlm = vlms["qwen3-vl"]
    some = replace(sift, max_frames=5, selector="uniform").compress(uneven)
    flat = some.step_seconds.flatten().tolist()
    assert flat[-1] == flat[-2]
    assert marks(text_of(vlm, some)) == [(a + b) / 2 for a, b in some.step_seconds.tolist()]
    part = sift.compress(f"{uneven}#t=3,66")
    assert marks(text_of(vlm, part)) == [3.5, 64.5]


@dataclass(frozen=True, kw_only=True)
class Torn(Decoder):
    """Reads the recording with gaps and loses some of its frames, as a damaged file does."""

    summary: ClassVar[str] = "loses frames"
    lost: frozenset[int]

    def scan(self, path):
        return decoders.create("pyav").scan(path)

    def pictures(self, path, indices, size_px):
        for index, picture in decoders.create("pyav").pictures(path, indices, size_px):
            if index not in self.lost:
                yield index, picture


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ({1, 6}, [1.0, 3.5, 65.0, 97.0, 128.5]),
        ({11}, [0.5, 2.5, 34.0, 65.5, 97.0, 128.0]),
        ({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, [129.0]),
    ],
)
def test_lost_frames_leave_pairs_of_those_that_are_there(vlms, uneven, sift, lost, expected):
    found = replace(sift, decoder=Torn(lost=frozenset(lost))).compress(uneven)
    assert marks(text_of(vlms["qwen3-vl"], found)) == expected


def test_times_that_do_not_belong_to_their_steps_are_refused(vlms):
    video = seen(vlms["qwen3-vl"], GAPS)
    with pytest.raises(InvalidTokensError, match="begin each row with the time"):
        replace(video, frame_seconds=video.frame_seconds + 1)
    with pytest.raises(InvalidTokensError, match="ascending"):
        replace(video, step_seconds=video.step_seconds * torch.tensor([1.0, -1.0]))
