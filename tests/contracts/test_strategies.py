"""Every registered strategy keeps the promises of the suites."""

import inspect

import pytest

from framesift.registry import Part
from framesift.strategies import registry
from framesift.strategies.base import Strategy
from framesift.testing import StrategyContract, StrategyScaleContract


@pytest.fixture(params=registry.names())
def registered(request):
    return registry.create(request.param)


class TestStrategies(StrategyContract):
    @pytest.fixture
    def part(self, registered):
        return registered

    def test_a_strategy_has_few_class_facts_and_the_rest_follows_from_them(self, strategy):
        stated = inspect.get_annotations(Part) | inspect.get_annotations(Strategy)
        assert all(kind.startswith("ClassVar") for kind in stated.values())
        assert len(stated) <= 7
        assert (strategy.applies_to == "inside the LLM") == ("llm_attention" in strategy.needs)
        assert strategy.is_per_question == ("question_similarity" in strategy.required_signals)


class TestSlowFastVariants(StrategyContract):
    @pytest.fixture(
        params=[
            "layout=slowfast-llava,segment=3",
            "layout=llava-video,key=informative",
            "remainder=repeat,include_key=false,key_stride=2",
            "remainder=merge,segment=3,stage=pre",
        ]
    )
    def part(self, request):
        return registry.create(f"slow-fast:{request.param}")


@pytest.mark.slow
class TestStrategiesAtScale(StrategyScaleContract):
    @pytest.fixture
    def part(self, registered):
        return registered
