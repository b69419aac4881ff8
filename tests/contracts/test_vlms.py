"""Every registered family of vision LLMs keeps the promises of the suites."""

import pytest

from framesift.testing import TINY_VLMS, VLMContract, VLMProcessorContract
from framesift.vlms import registry

pytest.importorskip("transformers")


TWINS = frozenset({"gemma4-small", "glm46v", "glm4v-moe", "qwen3-5-moe", "qwen3-vl-moe"})
"""Models that share the code of an adapter with another one; they run with the slow tests."""


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.slow) if name in TWINS else name
        for name in sorted(TINY_VLMS)
    ]
)
def registered(request):
    return TINY_VLMS[request.param]


def test_every_family_is_tested():
    assert set(TINY_VLMS) >= set(registry.names()) - {"tiny"}


class TestVLMs(VLMContract):
    @pytest.fixture
    def tiny_vlm(self, registered):
        return registered


@pytest.mark.torchvision
class TestProcessors(VLMProcessorContract):
    @pytest.fixture
    def tiny_vlm(self, registered):
        return registered
