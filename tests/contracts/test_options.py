"""Every option of every part has a schema, and refuses what is beyond its range in one line."""

import importlib

import pytest

from framesift import Budget, FetchLimits, Generation, VideoCompressor
from framesift.errors import BudgetError, InvalidOptionError
from framesift.registry import option_default, part_options
from framesift.testing.samples import option_types, values_beyond
from framesift.types.options import Reaches, SpecOf
from framesift.types.schema import allowed, hints, listed, marks

KINDS = (Budget, FetchLimits, Generation, VideoCompressor)
FOLDERS = (
    *("strategies", "selectors", "scorers", "encoders", "readers", "decoders", "sources", "vlms"),
)
REGISTRIES = {folder: importlib.import_module(f"framesift.{folder}").registry for folder in FOLDERS}
PARTS = [(folder, name) for folder, registry in REGISTRIES.items() for name in registry.names()]
OPTIONS = [
    (REGISTRIES[folder].get(name), key, schema)
    for folder, name in PARTS
    for key, schema in REGISTRIES[folder].schema(name)["properties"].items()
]
OPTIONS += [
    (kind, key, schema)
    for kind in KINDS
    for key, schema in kind.options_schema()["properties"].items()
    if key not in ("ports", "stop")
]
PLAIN_TEXT = ("device", "language", "question_id")
"""Options of free text that name nothing to read or fetch."""
TYPES = {"boolean", "integer", "number", "string"}


def ids(value):
    return value.__name__ if isinstance(value, type) else value if isinstance(value, str) else ""


@pytest.mark.parametrize(("folder", "name"), PARTS)
def test_the_schema_holds_every_option_with_type_default_and_description(folder, name):
    part, schema = REGISTRIES[folder].get(name), REGISTRIES[folder].schema(name)
    options = part_options(part)
    assert list(schema["properties"]) == [option.name for option in options]
    assert schema["additionalProperties"] is False
    for option in options:
        each = schema["properties"][option.name]
        assert {choice["type"] for choice in option_types(each)} <= TYPES
        assert option.name in schema["required"] or each["default"] == option_default(option)
        assert 10 < len(each["description"]) < 300
        assert "\n" not in each["description"]


@pytest.mark.parametrize("kind", KINDS)
def test_other_options_are_described_as_well(kind):
    for key, schema in kind.options_schema()["properties"].items():
        assert 10 < len(schema["description"]) < 300, key


@pytest.mark.parametrize(("part", "key", "schema"), OPTIONS, ids=ids)
def test_values_beyond_the_range_of_an_option_are_refused_in_one_line(part, key, schema):
    needed = {option.name: "x" for option in part_options(part) if option.name in ("model", "path")}
    for value in values_beyond(schema):
        with pytest.raises((InvalidOptionError, BudgetError)) as caught:
            part(**{**needed, key: value})
        line = str(caught.value)
        assert line.startswith(f"{key}={value!r} must be {allowed(schema)}")
        assert "\n" not in line
        assert len(line) < 400


@pytest.mark.parametrize(("part", "key", "schema"), OPTIONS, ids=ids)
def test_numbers_are_within_a_range_or_any_number_will_do(part, key, schema):
    bounds = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    for each in option_types(schema):
        if each["type"] in ("integer", "number"):
            assert bounds & each.keys() or key == "seed"


@pytest.mark.parametrize(("folder", "name"), PARTS)
def test_free_text_says_whether_it_names_something_to_read(folder, name):
    part, schema = REGISTRIES[folder].get(name), REGISTRIES[folder].schema(name)
    for key, each in schema["properties"].items():
        is_free = any(
            choice["type"] == "string" and not listed(choice) for choice in option_types(each)
        )
        found = [mark for mark in marks(hints(part)[key]) if isinstance(mark, Reaches | SpecOf)]
        assert bool(found) == (is_free and key not in PLAIN_TEXT), (
            f"{name}:{key} is free text: annotate it as Reachable where it names a file, a folder, "
            "a hub id or an address, with SpecOf where it is a spec string"
        )
