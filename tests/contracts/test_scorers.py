"""Every registered scorer keeps the promises of the suite."""

from dataclasses import replace

import pytest

from framesift.scorers import registry
from framesift.testing import ScorerContract, random_frames, tiny_two_towers
from framesift.testing.frame_scorers import random_frame_scorer
from framesift.testing.selectors import make_candidates

TWO_TOWERS = {"clip", "siglip"}
OF_VLMS = {"similarity"}
NEEDS_FILES = {*TWO_TOWERS, "file", "mllm"}
"""Scorers that need a folder or a file."""
NEEDS_PICTURES = {"vlm"}
"""Scorers that see pictures by an encoder that made-up tokens do not stand for."""


class TestScorers(ScorerContract):
    @pytest.fixture(params=sorted(set(registry.names()) - NEEDS_FILES - NEEDS_PICTURES - OF_VLMS))
    def part(self, request):
        return registry.create(request.param)


class TestScorersByTwoTowers(ScorerContract):
    @pytest.fixture(params=sorted(TWO_TOWERS))
    def part(self, request, tmp_path_factory):
        pytest.importorskip("transformers")
        folder = tiny_two_towers(tmp_path_factory.mktemp(request.param), request.param)
        return registry.create(request.param, model=str(folder), device="cpu")

    def candidates(self, tokens):
        frames = random_frames(tokens.frame_count, fps=2)
        return replace(make_candidates(tokens), given_tokens=None, frames=frames)


class TestScorersByVisionLlms(ScorerContract):
    @pytest.fixture(params=sorted(OF_VLMS))
    def part(self, request):
        pytest.importorskip("transformers")
        return registry.create(request.param, vlm="tiny:device=cpu")

    def candidates(self, tokens):
        frames = random_frames(tokens.frame_count, fps=2)
        return replace(make_candidates(tokens), given_tokens=None, frames=frames)


class TestScorersByFiles(ScorerContract):
    @pytest.fixture
    def part(self, tmp_path):
        path = tmp_path / "chosen.jsonl"
        path.write_text('{"video": "any.mp4", "frames": [0.0]}')
        return registry.create("file", path=str(path))


@pytest.fixture(scope="module")
def random_mllm(tmp_path_factory):
    pytest.importorskip("transformers")
    return random_frame_scorer(tmp_path_factory.mktemp("mllm"))


class TestTrainedScorers(ScorerContract):
    @pytest.fixture
    def part(self, random_mllm):
        return registry.create("mllm", model=str(random_mllm), device="cpu")

    def candidates(self, tokens):
        frames = random_frames(tokens.frame_count, fps=2)
        return replace(make_candidates(tokens), given_tokens=None, frames=frames)


class TestScorersByPictures(ScorerContract):
    @pytest.fixture(params=sorted(NEEDS_PICTURES))
    def part(self, request):
        pytest.importorskip("transformers")
        return registry.create(request.param, device="cpu")

    def candidates(self, tokens):
        frames = random_frames(tokens.frame_count, fps=2)
        return replace(make_candidates(tokens), given_tokens=None, frames=frames)
