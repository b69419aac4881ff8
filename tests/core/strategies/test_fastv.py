import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.errors import MissingSignalError
from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens


def test_the_most_attended_tokens_stay_and_the_earlier_one_on_ties():
    tokens = VideoTokens(
        features=torch.ones(1, 5, 2),
        grid=(1, 5),
        pts_seconds=torch.zeros(1),
        signals=Signals(llm_attention=torch.tensor([[0.1, 0.3, 0.2, 0.3, 0.2]])),
    )
    assert create_strategy("fastv").plan(tokens, 3).src.tolist() == [1, 2, 3]


def test_outside_of_an_llm_it_says_where_it_works():
    tokens = VideoTokens(features=torch.ones(1, 5, 2), grid=(1, 5), pts_seconds=torch.zeros(1))
    with pytest.raises(MissingSignalError, match=r"with vlm\.in_llm\('fastv'\)"):
        create_strategy("fastv").plan(tokens, 3)
    with pytest.raises(MissingSignalError, match=r"with vlm\.in_llm\('fastv'\)"):
        VideoCompressor(strategy="fastv")
