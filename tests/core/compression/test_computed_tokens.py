"""Strategies whose outputs a network computes: what the pipeline takes of them, and refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from framesift import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.strategies.base import Project, ScoreStrategy
from framesift.strategies.chain import Chain
from framesift.types.plan import TokenPlan
from framesift.types.segments import SegmentTokens
from framesift.types.tokens import VideoTokens
from framesift.vlms.tiny import Tiny

VIDEO = "synthetic://static?seconds=4&width=64&height=64"


@dataclass(frozen=True, kw_only=True)
class _Computes(ScoreStrategy):
    summary: ClassVar[str] = "keeps the first tokens, and says that they are all sevens"
    of: str | None = None

    @property
    def trained_for(self) -> str | None:
        return self.of

    def limitation(self, uri: str) -> str | None:
        return f"sevens mean nothing for {uri}"

    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        return -torch.arange(tokens.count).view(tokens.features.shape[:2])

    def features(
        self, tokens: VideoTokens, plan: TokenPlan, project: Project | None = None
    ) -> Tensor:
        assert project is not None
        return torch.full_like(plan.apply(tokens.features), 7.0)

    def segment_tokens(self, tokens: VideoTokens, plan: TokenPlan) -> list[SegmentTokens]:
        first = float(tokens.pts_seconds[0])
        return [
            SegmentTokens(
                start_seconds=first,
                end_seconds=first,
                key_seconds=first,
                frames=1,
                key_tokens=plan.num_out,
                temporal_tokens=0,
            )
        ]


def test_computed_tokens_segments_and_the_limitation_reach_the_result() -> None:
    result = VideoCompressor(strategy=_Computes(), keep=0.1).compress(VIDEO)
    assert bool((result.tokens == 7.0).all())
    assert result.report.warnings == [f"sevens mean nothing for {VIDEO}"]
    assert result.report.segments is not None
    assert result.report.segments[0].key_tokens == result.report.tokens_out


def test_a_network_reads_only_tokens_that_it_was_trained_with() -> None:
    weights = Tiny().weights
    result = VideoCompressor(vlm="tiny", strategy=_Computes(of=weights), keep=0.1).compress(VIDEO)
    assert bool((result.tokens == 7.0).all())
    for compressor in (
        VideoCompressor(vlm="tiny", strategy=_Computes(of="another"), keep=0.1),
        VideoCompressor(strategy=_Computes(of=weights), keep=0.1),
    ):
        with pytest.raises(InvalidOptionError, match="reads tokens of the checkpoint"):
            compressor.compress("/nowhere.mp4")


def test_computed_tokens_stand_in_no_other_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(stages="random | uniform")
    monkeypatch.setitem(vars(chain), "within", [_Computes(of="some"), _Computes(of=None)])
    compressor = VideoCompressor(strategy=chain, keep=0.1)
    with pytest.raises(InvalidOptionError, match="cannot stand within"):
        compressor.compress("/nowhere.mp4")


def test_a_segment_holds_its_key_frame() -> None:
    with pytest.raises(ValueError, match="within the segment"):
        SegmentTokens(
            start_seconds=0.0,
            end_seconds=3.0,
            key_seconds=4.0,
            frames=4,
            key_tokens=1,
            temporal_tokens=1,
        )
