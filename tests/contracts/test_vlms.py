"""Every registered family of vision LLMs keeps the promises of the suites."""

import pytest

from framesift.testing import TINY_VLMS, VLMContract, VLMProcessorContract
from framesift.vlms import registry

pytest.importorskip("transformers")


@pytest.fixture(params=sorted(TINY_VLMS))
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
