"""The suites pass right parts of somebody else, and say what is wrong with wrong ones."""

import pytest

from other_package import run_tests

PARTS = """
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
import numpy as np
import torch
from framesift.encoders.base import Encoder
from framesift.errors import SourceError
from framesift.run import report_progress
from framesift.selectors.base import Selection, Selector
from framesift.sources.base import Source
from framesift.types.tokens import Signals, VideoTokens


@dataclass(frozen=True, kw_only=True)
class Gray(Encoder):
    summary: ClassVar[str] = "the mean gray of each quarter"
    gives: ClassVar[frozenset[str]] = frozenset({"contrast"})
    grid: ClassVar[tuple[int, int]] = (2, 2)
    input_px: ClassVar[tuple[int, int]] = (64, 64)

    def encode(self, frames, signals=None):
        wanted = self.wanted(signals)
        gray = torch.from_numpy(frames.data.astype(np.float32)).mean(-1)
        cells = torch.nn.functional.adaptive_avg_pool2d(gray, (2, 2)).flatten(1)
        features = torch.stack([cells, 256 - cells], dim=-1)
        return VideoTokens(
            features=features,
            grid=(2, 2),
            pts_seconds=torch.tensor(frames.pts_seconds),
            signals=self.signals(cells) if wanted else Signals(),
        )

    def signals(self, cells):
        return Signals(contrast=cells / 255)


class Unsigned(Gray):
    def signals(self, cells):
        return Signals()


class Counting(Gray):
    def encode(self, frames, signals=None):
        tokens = super().encode(frames, signals)
        tokens.features.add_(torch.arange(float(len(frames)))[:, None, None])
        return tokens


class Upside(Gray):
    def encode(self, frames, signals=None):
        tokens = super().encode(frames, signals)
        tokens.features.copy_(tokens.features.flip(1))
        return tokens


@dataclass(frozen=True, kw_only=True)
class First(Selector):
    summary: ClassVar[str] = "the first frames"
    more: int = 0

    def choose(self, candidates, count, question):
        candidates.tokens("handcrafted")
        report_progress("select", 0, None, "step")
        chosen = tuple(range(count + self.more))
        reasons = ("it comes early",) * len(chosen)
        return Selection(indices=chosen, scores=(1.0,) * len(chosen), reasons=reasons)


class Deaf(First):
    def choose(self, candidates, count, question):
        candidates.tokens("handcrafted")
        return Selection(indices=tuple(range(count)), scores=(1.0,) * count, reasons=("x",) * count)


@dataclass(frozen=True, kw_only=True)
class Shelf(Source):
    summary: ClassVar[str] = "videos on a shelf"

    def matches(self, uri):
        return uri.startswith("shelf://")

    def open(self, uri, limits, *, text_only=False):
        raise SourceError(f"{uri!r} is not on the shelf; put it there")


class Greedy(Shelf):
    def matches(self, uri):
        return uri.startswith(("http://", "shelf://"))


class Raw(Shelf):
    def open(self, uri, limits, *, text_only=False):
        return Path(uri).read_bytes()
"""
SUITES = {
    "Gray": ("EncoderContract", ""),
    "First": ("SelectorContract", ""),
    "Shelf": ("SourceContract", "missing = 'shelf://nothing'"),
}
WRONG = {
    "Unsigned": ("Gray", "test_signals_are_those_it_gives", "gives={'contrast'}"),
    "Counting": ("Gray", "test_a_still_clip_gives_equal_tokens", "Tensor-likes are not close"),
    "Upside": (
        "Gray",
        "test_a_change_is_seen_in_its_place",
        "the token of the change changed too little",
    ),
    "First(more=1)": (
        "First",
        "test_the_count_is_exact[False]",
        "picked 2 frames where 1 were asked",
    ),
    "First()": (
        "First",
        "test_numbers_have_a_range",
        "option 'more' needs a range, such as Annotated[int, pydantic.Field(ge=1)]",
    ),
    "Deaf": (
        "First",
        "test_what_a_listener_raises_ends_a_selection_that_compares",
        "[] == ['select']",
    ),
    "Greedy": (
        "Shelf",
        "test_no_other_source_of_its_priority_matches[http://example.com/talk.mp4]",
        "'http' opens 'http://example.com/talk.mp4' as well; state another `priority`",
    ),
    "Raw": ("Shelf", "test_what_is_missing_is_a_source_error_without_a_trace", "FileNotFoundError"),
}
"""The right part that it is like, the promise that it breaks, and what the failure says."""
OPTIONS = {
    "test_numbers_have_a_range",
    "test_options_have_a_type_a_default_and_a_description",
}
"""What `First` breaks, whose one option has neither."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    tests = "from framesift.testing import *\nfrom parts import *\n"
    ids = []
    for name, (suite, more) in SUITES.items():
        tests += f"\nclass Test{name}({suite}):\n    spec = {name}\n    {more}\n"
        ids.append(f"test_parts.py::Test{name}")
    for place, (spec, (like, promise, _)) in enumerate(WRONG.items()):
        suite, more = SUITES[like]
        tests += f"\nclass TestWrong{place}({suite}):\n    spec = {spec}\n    {more}\n"
        ids.append(f"test_parts.py::TestWrong{place}::{promise}")
    files = {"parts.py": PARTS, "test_parts.py": tests}
    return run_tests(tmp_path_factory.mktemp("parts"), files, *ids)


@pytest.mark.parametrize("name", SUITES)
def test_a_right_one_keeps_every_promise(outcomes, name):
    own = {test: reason for test, reason in outcomes.items() if test.startswith(f"Test{name}::")}
    broken = {test for test, reason in own.items() if str(reason).startswith("failure")}
    assert broken == (
        {f"TestFirst::{promise}" for promise in OPTIONS} if name == "First" else set()
    )
    assert len(own) > 10


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_fails_with_what_is_wrong(outcomes, name):
    _, promise, reason = WRONG[name]
    assert reason in str(outcomes[f"TestWrong{list(WRONG).index(name)}::{promise}"])
