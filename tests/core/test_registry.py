import json
import os
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata

import pytest

import framesift
from framesift.errors import InvalidOptionError, MissingDependencyError, UnknownNameError
from framesift.registry import option_default, part_options, require
from framesift.scorers import registry as scorers
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
        ("random:seed=18446744073709551616", InvalidOptionError, "seed='18446744073709551616'"),
    ],
)
def test_a_wrong_spec_is_one_clear_line(spec, error, message):
    with pytest.raises(error, match=message) as caught:
        registry.create(spec)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_an_option_without_a_default_is_asked_for_by_its_name():
    with pytest.raises(InvalidOptionError) as refused:
        scorers.create("file")
    assert str(refused.value) == (
        "'file' lacks 'path', which has no default; write 'file:path=...'"
    )


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


PARTS = """
from __future__ import annotations
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal
from pydantic import Field
from framesift.strategies.base import Strategy
if TYPE_CHECKING:
    from nowhere import Unknown

@dataclass(frozen=True, kw_only=True)
class First(Strategy):
    summary: ClassVar[str] = "of many options"
    count: Annotated[int, Field(ge=2, multiple_of=2)] = 4
    mode: Literal["none", "some"] = "some"
    level: Literal[1, 2] = 1
    word: Annotated[str, Field(min_length=2, pattern="^[a-z]+$")] = "abc"
    label: str = ""
    table: Path = Path("x.txt")
    sizes: tuple[int, ...] = field(default_factory=lambda: (1, 2))
    inner: Strategy | str = "temporal"
    other: Unknown | None = None

    def decide(self, tokens, budget, question):
        raise AssertionError

@dataclass(frozen=True, kw_only=True)
class Second(First):
    summary: ClassVar[str] = "beside another one in the same module"

class WithoutSummary(Strategy):
    pass

a_function = print
"""
NAMES = """
[framesift.strategies]
one = parts_of_others:First
two = parts_of_others:Second
no-summary = parts_of_others:WithoutSummary
no-class = parts_of_others:a_function
no-module = nowhere_at_all:Anything
[framesift.sources]
no-module = nowhere_at_all:Anything
"""


@pytest.fixture
def others(tmp_path, monkeypatch):
    """Installs a package of somebody else, of which some parts cannot be imported."""
    (tmp_path / "parts_of_others.py").write_text(PARTS)
    (tmp_path / "others-1.0.dist-info").mkdir()
    (tmp_path / "others-1.0.dist-info" / "METADATA").write_text("Name: others\nVersion: 1.0\n")
    (tmp_path / "others-1.0.dist-info" / "entry_points.txt").write_text(NAMES)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("parts_of_others", None)


@pytest.mark.usefixtures("others")
def test_third_parties_add_parts_by_entry_point():
    assert "one" in registry.names()
    assert isinstance(registry.create("one"), Strategy)


def test_what_is_installed_is_read_once_until_something_changes(tmp_path, monkeypatch):
    reads, read = [], metadata.entry_points
    monkeypatch.setattr(metadata, "entry_points", lambda: reads.append(1) or read())
    monkeypatch.syspath_prepend(tmp_path)
    about = tmp_path / "later-1.0.dist-info"

    def names_after(number):
        os.utime(tmp_path, ns=(number, number))  # the clock of files may be too coarse to tell
        names = [registry.names() for _ in range(3)]
        assert names == names[:1] * 3
        assert len(reads) == number
        return names[0]

    assert "later" not in names_after(1)
    about.mkdir()
    (about / "METADATA").write_text("Name: later\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[framesift.strategies]\nlater = later:Part\n")
    assert "later" in names_after(2)
    shutil.rmtree(about)
    assert "later" not in names_after(3)


@pytest.mark.usefixtures("others")
def test_a_spec_has_the_name_of_the_entry_point_wherever_the_class_is_defined():
    for name in ("one", "two"):
        part = registry.create(name)
        assert part.spec == name
        assert registry.create(part.spec) == part
    nested = type(part)(inner=ProtectEdges(share=0.25, strategy="random"))
    assert nested.spec == "two:inner=[protect-edges:strategy=random,share=0.25]"


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("name", ["no-class", "no-module"])
def test_a_part_that_cannot_be_imported_is_one_clear_line(name):
    with pytest.raises(MissingDependencyError, match=f"strategy {name!r} of another") as caught:
        registry.create(name)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("others")
def test_a_part_that_cannot_be_imported_leaves_the_others_alone(caplog):
    listed = {facts["name"] for facts in registry.facts()}
    assert listed == set(registry.names()) - {"no-class", "no-module"}
    assert {line.split("'")[1] for line in caplog.messages} <= {"no-class", "no-module"}
    assert framesift.VideoCompressor().compress("synthetic://shapes?seconds=1").report.tokens_out


@pytest.mark.usefixtures("others")
def test_options_of_many_types_have_a_schema_that_json_holds():
    properties = registry.schema("one")["properties"]
    assert list(properties) == [option.name for option in part_options(registry.get("one"))]
    defaults = {name: option["default"] for name, option in properties.items()}
    assert json.loads(json.dumps(defaults)) == defaults
    assert defaults["table"] == "x.txt"
    assert defaults["sizes"] == [1, 2]


@pytest.mark.usefixtures("others")
def test_text_of_a_spec_stands_for_a_listed_value_or_none_only_where_it_may():
    made = registry.create("one:mode=none,level=2,label=none,other=none")
    assert (made.mode, made.level, made.label, made.other) == ("none", 2, "none", None)


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize(
    ("option", "allowed"),
    [
        ("count=3", "a whole number of at least 2, a multiple of 2"),
        ("mode=all", "one of: none, some"),
        ("level=3", "one of: 1, 2"),
        ("word=A", "text of at least 2 letters that matches ^[a-z]+$"),
    ],
)
def test_an_annotation_that_cannot_be_read_leaves_the_other_checks_on(option, allowed):
    key, _, value = option.partition("=")
    with pytest.raises(InvalidOptionError) as caught:
        registry.create(f"one:{option}")
    assert str(caught.value) == f"{key}={value!r} must be {allowed}"
