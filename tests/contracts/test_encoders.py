"""Every registered encoder keeps the promises of the suite."""

import pytest

from framesift.encoders import registry
from framesift.testing import EncoderContract, tiny_tower

NEED_WEIGHTS = ("clip", "siglip", "intern-vit")


@pytest.fixture(scope="session")
def towers(tmp_path_factory):
    pytest.importorskip("transformers")
    return {name: str(tiny_tower(tmp_path_factory.mktemp(name), name)) for name in NEED_WEIGHTS}


class TestEncoders(EncoderContract):
    @pytest.fixture(params=registry.names())
    def part(self, request):
        name = request.param
        if name not in NEED_WEIGHTS:
            return registry.create(name)
        towers = request.getfixturevalue("towers")
        return registry.create(name, model=towers[name], device="cpu")
