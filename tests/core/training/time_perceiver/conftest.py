"""Videos with drawn features and a few questions, and starts with the embedded model."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers")

from framesift.training.time_perceiver.lessons import Lesson, TaughtVideo
from framesift.training.time_perceiver.recipe import PRESETS
from framesift.training.time_perceiver.start import begin
from framesift.vlms.load import load_vlm

RECIPE = replace(
    PRESETS["tiny"], stage="pre", batch=2, head_dim=32, depth=1, precision="float32", fewest=1.0
)
LESSONS = (
    Lesson(question="Which way does the red square move?", answer="left", kind="direction"),
    Lesson(question="What number is shown?", answer="17", kind="number"),
    Lesson(question="How many circles appear?", answer="two", kind="count"),
)


def drawn(number, frames):
    """Returns features of a video that are alike from frame to frame."""
    generator = torch.Generator().manual_seed(number)
    first = torch.randn(1, 64, 192, generator=generator)
    return (first + 0.3 * torch.randn(frames, 64, 192, generator=generator)).half()


@pytest.fixture(scope="session")
def videos():
    made = []
    for number in range(8):
        frames = 4 + number
        made.append(
            TaughtVideo(
                address=f"synthetic://number?seed={number}",
                times_seconds=tuple(map(float, range(frames))),
                lessons=LESSONS[: 1 + number % 3],
                features=lambda number=number, frames=frames: drawn(number, frames),
                is_synthetic=bool(number % 2),
            )
        )
    return made


@pytest.fixture(scope="session")
def tiny():
    return load_vlm("tiny", device="cpu")


@pytest.fixture
def start():
    """Returns a start with the embedded model by values of the recipe that differ."""

    def made(**changes):
        recipe = replace(RECIPE, **changes)
        return begin("tiny", recipe), recipe

    return made
