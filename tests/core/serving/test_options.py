"""Fields of a framework's object have the ranges and error lines of framesift's own options."""

from pathlib import Path

import pytest

from framesift import FetchLimits
from framesift.errors import BudgetError, InvalidOptionError, UnknownNameError
from framesift.serving import CompressionFields, GenerationFields, HomePath, OptionFields


class Both(CompressionFields, GenerationFields):
    name: str


@pytest.mark.parametrize(
    ("given", "error", "line"),
    [
        ({"keep": 2}, BudgetError, r"^keep=2 must be a number above 0"),
        ({"max_visual_tokens": 0}, BudgetError, r"^max_visual_tokens=0 must be a whole number"),
        ({"max_tokens": 0}, InvalidOptionError, r"^max_tokens=0 must be a whole number"),
        ({"gate": 0.97}, InvalidOptionError, r"^gate=0.97 must be a number above 1"),
        ({"still": "kept"}, InvalidOptionError, r"^still='kept' must be one of: copied, dropped"),
        ({"fps": "1"}, InvalidOptionError, r"^fps='1' must be a number"),
        ({"strategy": "tempral"}, UnknownNameError, r"did you mean 'temporal'"),
        ({"text": 3}, InvalidOptionError, r"^text=3 must be the name of a reader"),
        ({"text": ["subtitles", 3]}, InvalidOptionError, r"^text=\['subtitles', 3\] must be the"),
        ({"text": ["subtitles"] * 9}, InvalidOptionError, r"^text=.* at most 8 items"),
        ({"selector": "nope"}, UnknownNameError, r"^unknown selector 'nope'"),
        ({"text": "subtitle"}, UnknownNameError, r"did you mean 'subtitles'"),
        ({"text": ("subtitles", "subtitles")}, InvalidOptionError, r"names a reader twice"),
        ({"limits": 3}, InvalidOptionError, r"^limits=3 is not allowed: input should be"),
        ({"name": None}, InvalidOptionError, r"^name=None is not allowed: input should be"),
    ],
)
def test_a_wrong_field_is_one_line(given, error, line):
    with pytest.raises(error, match=line) as refused:
        Both(**{"name": "x", **given})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("max_new_tokens", "Both has no option 'max_new_tokens'; did you mean 'max_tokens'"),
        ("max_frame", "did you mean 'max_frames'"),
        ("vlm", r"its options: .*strategy, keep, "),
    ],
)
def test_a_misspelt_field_is_refused_with_the_name_that_is_meant(name, line):
    with pytest.raises(InvalidOptionError, match=line) as refused:
        Both(**{"name": "x", name: 3})
    assert "\n" not in str(refused.value)


def test_a_misspelt_option_of_a_call_is_refused():
    with pytest.raises(InvalidOptionError, match="a call has no option 'max_new_tokens'"):
        Both(name="x").generation(None, {"max_new_tokens": 3})


def test_a_field_that_is_missing_is_named():
    with pytest.raises(InvalidOptionError, match=r"^Both needs name"):
        Both()


def test_fields_become_options_of_the_core():
    made = Both(name="x", max_visual_tokens=9, max_tokens=7, seed=1, gate=8, still="dropped")
    assert made.compressor_options["max_tokens"] == 9
    assert (made.compressor_options["gate"], made.compressor_options["still"]) == (8, "dropped")
    assert made.compressor_options["limits"] == FetchLimits.untrusted()
    chosen = made.generation("end", {"temperature": 0.5})
    assert (chosen.max_new_tokens, chosen.seed) == (7, 1)
    assert (chosen.stop, chosen.temperature) == (("end",), 0.5)


@pytest.mark.parametrize(
    ("given", "readers"),
    [
        (None, ("subtitles",)),
        ("subtitles", ("subtitles",)),
        (["subtitles"], ("subtitles",)),
        ([], ()),
    ],
)
def test_readers_of_text_are_one_or_several(given, readers):
    made = Both(name="x", text=given)
    assert made.compressor_options["text"] == readers
    assert Both(**made.model_dump(exclude={"limits"})) == made
    assert hash(made.compressor_options["text"]) == hash(readers)


def test_the_schema_of_a_field_is_that_of_the_option():
    field = CompressionFields.model_json_schema()["properties"]["keep"]
    assert (field["exclusiveMinimum"], field["maximum"], field["default"]) == (0, 1, 0.25)
    assert field["description"].startswith("Fraction of the tokens kept")


def test_a_folder_may_lie_in_the_home_folder(tmp_path, monkeypatch):
    class Keeps(OptionFields):
        folder: HomePath | None = None

    monkeypatch.setenv("HOME", str(tmp_path))
    assert [Keeps(folder=f).folder for f in ("~/a", Path("~"), None)] == [
        tmp_path / "a",
        tmp_path,
        None,
    ]
    with pytest.raises(InvalidOptionError, match=r"^folder=") as refused:
        Keeps(folder=5)
    assert "\n" not in str(refused.value)
