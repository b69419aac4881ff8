"""What every part promises, whatever its kind: a summary, a spec string, options with ranges."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, ClassVar

import pytest
import torch

from framesift.errors import InvalidOptionError, UnknownNameError
from framesift.registry import Registry, option_default, part_options
from framesift.testing.samples import option_types, values_beyond
from framesift.types.schema import allowed, listed

TYPES = {"boolean", "integer", "number", "string"}
_TYPES = "true or false, numbers and text"
BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}


class Made:
    """Makes the part that a subclass names in `spec`."""

    spec: ClassVar[Any]
    """What is tested: a spec string such as `"mine:option=1"`, an instance, or a class."""
    registry: ClassVar[Registry[Any]]
    """Where parts of this kind are found by name."""

    @pytest.fixture
    def part(self) -> Any:
        """The part under test; override it with parameters to test several."""
        if not hasattr(self, "spec"):
            pytest.fail(f"{type(self).__name__} must name what it tests: spec = 'my-part'")
        return self.spec() if isinstance(self.spec, type) else self.create(self.spec)

    def create(self, spec: Any) -> Any:
        """Returns the part of a spec string."""
        return self.registry.create(spec)

    @property
    def is_registered(self) -> bool:
        """Whether a spec string names the part; not where an instance or a class was given."""
        return not hasattr(self, "spec") or isinstance(self.spec, str)

    def twin(self, part: Any) -> Any:
        """Returns an equal part, made of the spec string where one names it."""
        return self.create(part.spec) if self.is_registered else replace(part)


class PartPromises(Made):
    """Promises that do not depend on the kind of a part."""

    @pytest.fixture(autouse=True)
    def torch_stays_as_it_is(self) -> Iterator[None]:
        """Holds of each test that the part leaves the default dtype of torch as it is."""
        before = torch.get_default_dtype()
        yield
        after = torch.get_default_dtype()
        torch.set_default_dtype(before)
        assert after == before, f"the part has set torch's default dtype, {before}, to {after}"

    def test_the_spec_makes_an_equal_part(self, part: Any) -> None:
        """`part.spec` is a spec string that makes an equal part, under its registered name."""
        if not self.is_registered:
            pytest.skip("given as an instance or a class, so that no spec string names it")
        try:
            made = self.create(part.spec)
        except (UnknownNameError, InvalidOptionError) as error:
            pytest.fail(f"part.spec is {part.spec!r}, which makes no part: {error}")
        assert made == part, f"part.spec is {part.spec!r}, which makes another part: {made}"

    def test_the_summary_is_one_short_line(self, part: Any) -> None:
        """`summary` says in one line what the part does."""
        assert 0 < len(part.summary) <= 90, f"summary={part.summary!r}"
        assert "\n" not in part.summary, f"summary={part.summary!r}"

    def test_options_have_a_type_a_default_and_a_description(self, part: Any) -> None:
        """The JSON schema of the options is complete: type, default and one line about each."""
        schema, options = type(part).options_schema(), part_options(type(part))
        assert list(schema["properties"]) == [option.name for option in options]
        assert schema["additionalProperties"] is False
        for option in options:
            each, about = schema["properties"][option.name], f"option {option.name!r}"
            types = {choice["type"] for choice in option_types(each)}
            assert types, f"{about}: its annotation cannot be read, or is none of {_TYPES}"
            assert types <= TYPES, (
                f"{about} is of type {', '.join(types - TYPES)}; a spec string holds {_TYPES}"
            )
            default = option_default(option)
            has_default = each.get("default") in (default, str(default))
            assert option.name in schema["required"] or has_default, option.name
            line = each.get("description", "")
            assert 10 < len(line) < 300, f"{about} needs a docstring below it, of 11 to 299 letters"
            assert "\n" not in line, option.name

    def test_every_field_is_an_option(self, part: Any) -> None:
        """A class that adds fields is a dataclass itself, so that each of them is an option."""
        kind, known = type(part), {option.name for option in fields(part)}
        for name, hint in inspect.get_annotations(kind).items():
            assert name in known or "ClassVar" in str(hint) or "KW_ONLY" in str(hint), (
                f"field {name!r} of {kind.__name__} is not an option; put "
                "@dataclass(frozen=True, kw_only=True) above the class"
            )

    def test_numbers_have_a_range(self, part: Any) -> None:
        """An option that is a number says from where to where it goes; a seed may be any."""
        for key, schema in type(part).options_schema()["properties"].items():
            for each in option_types(schema):
                is_number = each["type"] in ("integer", "number") and not listed(each)
                assert not is_number or BOUNDS & each.keys() or key == "seed", (
                    f"option {key!r} needs a range, such as Annotated[int, pydantic.Field(ge=1)]"
                )

    def test_values_beyond_the_range_of_an_option_are_refused_in_one_line(self, part: Any) -> None:
        """The error names the option, the value and what is allowed, in one line."""
        for key, option in type(part).options_schema()["properties"].items():
            for value in values_beyond(option):
                with pytest.raises(InvalidOptionError) as caught:
                    replace(part, **{key: value})
                line = str(caught.value)
                assert line.startswith(f"{key}={value!r} must be {allowed(option)}")
                assert "\n" not in line
                assert len(line) < 400
