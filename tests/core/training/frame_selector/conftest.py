"""A selector about to learn from a few videos, whose features are drawn and not encoded."""

import json
from dataclasses import dataclass, replace

import pytest
import torch

pytest.importorskip("transformers")

from framesift.training.frame_selector.labeled import LabeledQuestion
from framesift.training.frame_selector.recipe import PRESETS
from framesift.training.frame_selector.start import begin_with_vlm

URI = "synthetic://number?seconds=3&width=64&height=64&seed={}"
RECIPE = replace(
    PRESETS["tiny"], batch=4, candidates=8, key_width=16, lora_rank=4, precision="float32"
)


@dataclass
class DrawnFeatures:
    """Features in which the frames with a label are bright."""

    questions: list

    def of(self, video, times_seconds):
        number = int(video.rpartition("=")[2])
        labels = torch.tensor(self.questions[number].labels)
        generator = torch.Generator().manual_seed(number)
        noise = torch.randn(len(labels), 64, 192, generator=generator)
        return (noise + 2 * labels[:, None, None]).half()


@pytest.fixture(scope="session")
def questions():
    made = []
    for number in range(24):
        frames = 4 + number % 3
        labels = tuple(float(place == number % frames) for place in range(frames))
        made.append(
            LabeledQuestion(
                video=f"synthetic://number?seed={number}",
                question="What number flashes?",
                times_seconds=tuple(map(float, range(frames))),
                labels=labels,
                answer="7" if number % 2 else None,
            )
        )
    return made


@pytest.fixture(scope="session")
def features(questions):
    return DrawnFeatures(questions)


@pytest.fixture
def begin():
    """Returns a start with the embedded model by values of the recipe that differ."""

    def begin(**changes):
        recipe = replace(RECIPE, **changes)
        return begin_with_vlm("tiny", recipe), recipe

    return begin


@pytest.fixture(scope="session")
def label_lines(tmp_path_factory):
    """Labels of three frames of four videos."""
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    lines = [
        {
            "video": URI.format(seed),
            "question": "What number flashes?",
            "times_seconds": [0.0, 1.0, 2.0],
            "labels": [0.0, 1.0, 0.5],
            "spatial": [0.0, 1.0, 0.5],
            "answer": "4",
            "fps": 1.0,
            "judge": "answer",
            "model": "tiny",
        }
        for seed in range(4)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path
