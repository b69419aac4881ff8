"""What strangers may write into a spec string."""

import pytest

from framesift import selectors, strategies, vlms
from framesift.encoders import registry as encoders
from framesift.errors import ForbiddenAddressError, InvalidOptionError, UnknownNameError
from framesift.serving import check_request_spec, split_specs
from framesift.vlms.tiny import FOLDER


def test_a_folder_in_a_spec_is_named():
    assert encoders.reaches("clip:model=/etc") == ["clip:model=/etc"]


def test_the_hub_id_that_a_part_takes_by_itself_counts_as_well():
    (reached,) = encoders.reaches("clip:device=cpu")
    assert reached.startswith("clip:model=openai/")


def test_what_comes_with_the_package_reaches_nothing():
    assert encoders.reaches("handcrafted:grid_size=7") == []
    assert vlms.registry.reaches("tiny") == vlms.registry.reaches(f"tiny:model={FOLDER}") == []
    assert vlms.registry.reaches("tiny:model=/tmp/x") == ["tiny:model=/tmp/x"]


@pytest.mark.parametrize(
    "spec", ["temporal", "temporal | random:seed=1", "question:strategy=[evs | random]"]
)
def test_specs_without_addresses_pass(spec):
    assert strategies.registry.reaches(spec) == []
    check_request_spec("strategies", spec)


def test_fillings_that_come_along_pass_and_those_of_a_folder_or_hub_id_do_not():
    for filling in ("pooled", "tiny"):
        check_request_spec("strategies", f"slow-fast:filling={filling}")
    for filling in ("/srv/weights", "owner/name", "./tiny", "Tiny"):
        spec = f"protect-edges:strategy=[slow-fast:filling={filling},segment=2]"
        with pytest.raises(ForbiddenAddressError, match=f"slow-fast:filling={filling}"):
            check_request_spec("strategies", spec)


@pytest.fixture
def reading(monkeypatch):
    """A strategy that reads a file, which must never be made."""
    from dataclasses import dataclass

    from framesift.strategies.base import ScoreStrategy
    from framesift.types.options import Reachable

    @dataclass(frozen=True, kw_only=True)
    class Reading(ScoreStrategy):
        path: Reachable | None = None
        """File of scores."""

        def __post_init__(self) -> None:
            raise AssertionError("made")

        def score(self, tokens, budget): ...

    kind, get = type(strategies.registry), type(strategies.registry).get
    monkeypatch.setattr(
        kind, "get", lambda self, name: Reading if name == "reading" else get(self, name)
    )


@pytest.mark.parametrize(
    "spec",
    [
        "reading:path=/etc/passwd",
        "temporal | reading:path=/etc/passwd",
        "chain:stages=[temporal | reading:path=/etc/passwd]",
        "question:weight=0.2,strategy=[reading:path=/etc/passwd]",
        "per-frame-floor:strategy=[protect-edges:strategy=[temporal | reading:path=/etc/passwd]]",
    ],
)
def test_a_file_is_found_however_deep_it_is_and_nothing_is_made(reading, spec):
    with pytest.raises(ForbiddenAddressError, match="/etc/passwd") as caught:
        check_request_spec("strategies", spec)
    assert "\n" not in str(caught.value)
    check_request_spec("strategies", spec, configured=[spec])
    with pytest.raises(ForbiddenAddressError, match="take one of: random; or"):
        check_request_spec("strategies", spec, configured=["random"])


def test_a_spec_that_names_no_file_needs_no_leave(reading):
    check_request_spec("strategies", "reading")


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("temporl", UnknownNameError, "did you mean 'temporal'"),
        ("temporal:thresold=1", InvalidOptionError, "did you mean 'threshold'"),
        ("temporal:threshold=much", InvalidOptionError, "threshold"),
        ("question:strategy=[temporl]", UnknownNameError, "temporal"),
        ("question:strategy=[" * 9 + "temporal" + "]" * 9, InvalidOptionError, "levels deep"),
    ],
)
def test_a_misspelt_spec_is_the_error_that_it_always_was(spec, error, words):
    with pytest.raises(error, match=words):
        check_request_spec("strategies", spec)


def test_a_list_of_specs_is_split_outside_of_brackets():
    assert split_specs("a:b=[c:d=1,e=2], uniform,") == ("a:b=[c:d=1,e=2]", "uniform")
    assert split_specs("") == ()


def test_options_in_a_list_belong_to_the_spec_before_them():
    models = "qwen2-5-vl:model=/a/b, frame_size=qwen-vl-utils,max_step_tokens=64, tiny,o/hub-id"
    first = "qwen2-5-vl:model=/a/b,frame_size=qwen-vl-utils,max_step_tokens=64"
    assert split_specs(models) == (first, "tiny", "o/hub-id")
    assert split_specs("tiny,device=cpu") == ("tiny", "device=cpu")  # named so where it is refused
    assert split_specs("/data/x=1,/data/y=2") == ("/data/x=1", "/data/y=2")


def test_every_selector_that_needs_nothing_from_outside_may_be_named():
    for name in ("keyframes", "scene", "uniform:ends=true"):
        assert selectors.registry.reaches(name) == []
