import pytest

from framesift.strategies.base import create_strategy
from goldens.cdpruner import cdpruner
from goldens.videos import KINDS, video


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [1, 3])
def test_choices_are_those_of_the_largest_determinant(kind, frames):
    tokens = video(kind, frames=frames, height=3, width=3)
    signal = tokens.signals.question_similarity.numpy()
    chosen = cdpruner(tokens.features.double().numpy(), signal, tokens.count * 2 // 3)
    for budget in (1, 3, len(chosen)):
        plan = create_strategy("cdpruner").plan(tokens, budget)
        assert plan.src.tolist() == sorted(chosen[:budget])
