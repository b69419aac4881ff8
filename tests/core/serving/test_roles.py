"""Every framework's name of a role means one of three."""

import pytest

from framesift.errors import InvalidOptionError
from framesift.serving import role_of


@pytest.mark.parametrize(
    ("name", "role"),
    [("human", "user"), ("tool", "user"), ("ai", "assistant"), ("developer", "system")],
)
def test_a_name_is_known(name, role):
    assert role_of(name) == role


def test_an_unknown_role_is_refused_with_those_there_are():
    with pytest.raises(InvalidOptionError, match=r"'critic'; use one of: ai, assistant"):
        role_of("critic")
