"""Every registered selector keeps the promises of the suite."""

import pytest

from framesift.selectors import registry
from framesift.testing import SelectorContract


class TestSelectors(SelectorContract):
    @pytest.fixture(params=registry.names())
    def part(self, request):
        return registry.create(request.param)
