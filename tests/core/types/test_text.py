import pytest

from framesift.types.text import shown_address


@pytest.mark.parametrize("length", [0, 79, 80])
def test_a_short_address_is_shown_whole(length):
    assert shown_address("a" * length) == "a" * length


def test_a_long_one_loses_its_middle_only():
    address = "/begin/" + "x" * 9_000 + "/talk.mp4"
    shown = shown_address(address)
    assert len(shown) == 80
    assert shown.startswith("/begin/")
    assert shown.endswith("/talk.mp4")
    assert "..." in shown
