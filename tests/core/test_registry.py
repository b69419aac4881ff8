from dataclasses import dataclass

import pytest

from framesift import registry as registry_module
from framesift.errors import InvalidOptionError, MissingDependencyError, UnknownNameError
from framesift.registry import option_default, part_options, require
from framesift.strategies import registry
from framesift.strategies.base import Strategy
from framesift.strategies.protect_edges import ProtectEdges
from framesift.strategies.random import Random
from framesift.strategies.temporal import Temporal


def test_names_are_files():
    assert {"temporal", "attention", "uniform", "random", "chain"} <= set(registry.names())
    assert not {"base", "-ops"} & set(registry.names())
    assert registry.kind == "strategy"


def test_a_spec_string_sets_options_by_their_type():
    assert registry.create("protect-edges:share=0.25, strategy=random") == ProtectEdges(
        share=0.25, strategy="random"
    )
    assert registry.create("temporal:threshold=none") == Temporal()
    assert registry.create("random:seed=3", seed=4) == Random(seed=4)
    made = Random(seed=9)
    assert registry.create(made) is made


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("temporall", UnknownNameError, "did you mean 'temporal'"),
        ("zzz", UnknownNameError, "choose one of: attention"),
        ("temporal:treshold=1", InvalidOptionError, "did you mean 'threshold'"),
        ("temporal:threshold=high", InvalidOptionError, "threshold='high' must be a number"),
        ("temporal:threshold=7", InvalidOptionError, "a number from -1 to 1, or None"),
        ("temporal:threshold", InvalidOptionError, "option=value"),
        ("random:seed=1.5", InvalidOptionError, "seed='1.5'"),
    ],
)
def test_a_wrong_spec_is_one_clear_line(spec, error, message):
    with pytest.raises(error, match=message) as caught:
        registry.create(spec)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_describe_is_the_inverse_of_create():
    for spec in ("temporal", "temporal:threshold=0.5", "protect-edges:strategy=random,share=0.1"):
        part = registry.create(spec)
        assert registry.create(part.spec) == part
    assert Temporal().spec == "temporal"


def test_options_are_the_fields():
    assert [option.name for option in part_options(ProtectEdges)] == ["strategy", "share"]
    assert [option_default(option) for option in part_options(ProtectEdges)] == ["temporal", 0.5]


def test_options_are_checked_where_another_annotation_cannot_be_read():
    class Anywhere: ...

    @dataclass(frozen=True, kw_only=True)
    class Bound(ProtectEdges):
        place: "Anywhere | None" = None

        decide = None

    assert Bound(place=Anywhere()).share == 0.5
    with pytest.raises(InvalidOptionError, match="share=2 must be a number from 0 to 1"):
        Bound(share=2)


def test_a_missing_dependency_names_the_command():
    with pytest.raises(MissingDependencyError, match=r"pip install 'framesift\[hf\]'"):
        require("no_such_module_at_all", extra="hf")


def test_third_parties_add_parts_by_entry_point(monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Everything(Strategy):
        summary = "keeps all"

        def decide(self, tokens, budget, question):
            raise AssertionError

    class Entry:
        name = "everything"

        def load(self):
            return Everything

    monkeypatch.setattr(registry_module, "entry_points", lambda group: [Entry()])
    assert "everything" in registry.names()
    assert isinstance(registry.create("everything"), Everything)
