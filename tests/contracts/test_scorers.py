"""Every registered scorer keeps the promises of the suite."""

import pytest

from framesift.scorers import registry
from framesift.testing import ScorerContract

NEEDS_FILES = set()
"""Scorers that need a folder or a file; their own tests hold them to the suite."""


class TestScorers(ScorerContract):
    @pytest.fixture(params=sorted(set(registry.names()) - NEEDS_FILES))
    def part(self, request):
        return registry.create(request.param)
