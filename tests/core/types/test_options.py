"""Options of the wrong type are one line for their reader, however they are passed."""

import json
import time

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from framesift import (
    Budget,
    FetchLimits,
    Generation,
    KeyframeShelf,
    Message,
    SiteOptions,
    StreamingCompressor,
    VideoCompressor,
    create_strategy,
    encoders,
    load_vlm,
    selectors,
)
from framesift.errors import BudgetError, InvalidOptionError, SpecError
from framesift.export.engines import openai_content
from framesift.strategies.protect_edges import ProtectEdges
from framesift.strategies.random import Random
from framesift.strategies.temporal import Temporal

CLIP = "synthetic://mixed?seconds=2&width=160&height=90"
NAN, INF = float("nan"), float("inf")
ODD = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.fixture(scope="module")
def sift():
    return VideoCompressor()


OPTIONS = {
    "fps": ["1", None, True, NAN, INF, -INF, 0, -1, 1e-320, 1e9, 10**400, ODD, [1], 1j, {}],
    "gate": ["8", True, NAN, INF, 0, 0.97, 1, 256, ODD],
    "still": ["moved", None, 1],
    "strategy": [5, None, ["temporal"], b"temporal"],
    "encoder": [5, "none such", ["clip"]],
    "selector": [5, None],
    "decoder": [5, None],
    "vlm": [5, ["tiny"]],
    "limits": [None, {}, "none"],
}
BUDGETS = {
    "keep": ["0.5", None, True, NAN, INF, 0, -1, 2, ODD],
    "max_tokens": ["5", 2.5, 2.0, True, NAN, 0, -5, ODD],
    "max_frames": ["5", 2.5, True, NAN, 0, -5],
}


def one_line(caught):
    text = str(caught.value)
    return "\n" not in text and len(text) < 400


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_a_compressor(name):
    for value in OPTIONS[name]:
        with pytest.raises(SpecError) as caught:
            VideoCompressor(**{name: value})
        assert one_line(caught), value


@pytest.mark.parametrize("name", BUDGETS)
def test_budgets(name):
    for value in BUDGETS[name]:
        with pytest.raises(BudgetError, match=name) as caught:
            VideoCompressor(**{name: value})
        assert one_line(caught)
        if name != "max_frames":
            with pytest.raises(BudgetError, match=name):
                Budget(**{name: value})


def test_numbers_of_numpy_and_whole_numbers_for_fractions_are_fine():
    made = VideoCompressor(
        fps=np.float32(2), keep=np.float64(0.5), max_tokens=np.int64(7), max_frames=np.uint8(3)
    )
    assert made == VideoCompressor(fps=2.0, keep=0.5, max_tokens=7, max_frames=3)
    assert [type(getattr(made, name)) for name in ("fps", "keep", "max_tokens")] == [
        float,
        float,
        int,
    ]
    assert Temporal(threshold=np.float16(0.5)).spec == "temporal:threshold=0.5"
    assert type(Temporal(threshold=1).threshold) is float
    assert Random(seed=np.int32(3)) == Random(seed=3)
    assert Generation(stop=["a", "b"]).stop == ("a", "b")
    assert Generation(max_new_tokens=np.int64(3), temperature=0).max_new_tokens == 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: Temporal(threshold="0.9"),
        lambda: Temporal(threshold=NAN),
        lambda: Random(seed=True),
        lambda: Random(seed=1.5),
        lambda: ProtectEdges(strategy=5),
        lambda: ProtectEdges(strategy=None),
        lambda: ProtectEdges(share=INF),
        lambda: create_strategy("random", seed="3"),
        lambda: create_strategy("temporal:threshold=nan"),
        lambda: create_strategy("random:seed=1e3"),
        lambda: create_strategy(5),
        lambda: create_strategy(None),
        lambda: encoders.registry.create("handcrafted", grid_size="14"),
        lambda: encoders.registry.create("handcrafted", grid_size=2.5),
        lambda: selectors.registry.create("keyframes", distinct=NAN),
        lambda: selectors.registry.create("uniform", ends=1),
        lambda: load_vlm(5),
        lambda: load_vlm("tiny", dtype="float8"),
        lambda: Generation(max_new_tokens="5"),
        lambda: Generation(max_new_tokens=NAN),
        lambda: Generation(temperature="0"),
        lambda: Generation(temperature=NAN),
        lambda: Generation(top_p="1"),
        lambda: Generation(top_k=1.5),
        lambda: Generation(seed="1"),
        lambda: Generation(stop="end"),
        lambda: Generation(stop=(5,)),
        lambda: FetchLimits(max_bytes="5"),
        lambda: FetchLimits(max_bytes=-1),
        lambda: FetchLimits(total_seconds=NAN),
        lambda: FetchLimits(ports=(70_000,)),
        lambda: FetchLimits(allow_private="no"),
        lambda: Message(role="robot"),
        lambda: Message(role="user", text=5),
        lambda: Message(role="user", fps="1"),
        lambda: StreamingCompressor(threshold="0.9"),
        lambda: StreamingCompressor(threshold=[0.9]),
        lambda: StreamingCompressor(threshold=NAN),
        lambda: KeyframeShelf(folder="x", compressor=VideoCompressor(), seconds_each="3"),
        lambda: KeyframeShelf(folder="x", compressor=VideoCompressor(), seconds_each=INF),
        lambda: KeyframeShelf(folder="x", compressor=VideoCompressor(), max_side_px=1.5),
        lambda: KeyframeShelf(folder=5, compressor=VideoCompressor()),
    ],
)
def test_options_of_parts_are_held_through_objects_as_through_specs(make):
    with pytest.raises(SpecError) as caught:
        make()
    assert one_line(caught)


@pytest.mark.parametrize(
    "make",
    [
        lambda: create_strategy("slow-fast:filling="),
        lambda: create_strategy("slow-fast", filling=" "),
        lambda: encoders.registry.create("clip:model="),
        lambda: load_vlm("llava:model="),
    ],
)
def test_a_name_of_no_letters_is_not_the_folder_that_the_program_runs_in(make):
    with pytest.raises(InvalidOptionError, match="names nothing; give a name"):
        make()


COUNTS = ["3", None, NAN, INF, True, 2.5, 0, -1, ODD, [3], 1j]


@pytest.mark.parametrize("count", COUNTS, ids=str)
def test_counts(sift, count):
    with pytest.raises(BudgetError, match="count") as caught:
        sift.keyframes(CLIP, count)
    assert one_line(caught)
    if count is not None:
        for call in (sift.moments, sift.segments):
            with pytest.raises(BudgetError, match="count"):
                call(CLIP, count=count)
    with pytest.raises(BudgetError, match="count"):
        sift.find(CLIP, "a number", count)
    with pytest.raises(BudgetError, match="tokens_per_minute"):
        StreamingCompressor(tokens_per_minute=0 if count is None else count)


@pytest.mark.parametrize("side", ["64", NAN, INF, True, 2.5, 0, -5, ODD], ids=str)
def test_sides_of_pictures(sift, side):
    frames = sift.keyframes(CLIP, 1, max_side_px=np.int64(64))
    assert max(frames[0].image.size) == 64
    for call in (
        lambda: sift.keyframes(CLIP, 1, max_side_px=side),
        lambda: sift.moments(CLIP, max_side_px=side),
        lambda: sift.frames(CLIP, max_side_px=side),
        lambda: sift.pictured(CLIP, [], max_side_px=side),
        lambda: sift.find(CLIP, "a number", max_side_px=side),
        lambda: openai_content(frames, "What?", max_side_px=side),
    ):
        with pytest.raises(InvalidOptionError, match="max_side_px") as caught:
            call()
        assert one_line(caught)


@pytest.mark.parametrize("seconds", ["3", None, NAN, INF, 0, -1, 1e-320, True, ODD], ids=str)
def test_seconds_of_a_stretch(sift, seconds):
    with pytest.raises(InvalidOptionError, match="seconds_each") as caught:
        sift.moments(CLIP, seconds_each=seconds)
    assert one_line(caught)


@pytest.mark.parametrize(
    "times",
    [[NAN], [INF], [2, 1], [-1], ["1"], "1", 5, [[1, 2]], [None], [True], ODD, [1, "2"], [[]], {}],
    ids=str,
)
def test_times_of_frames(sift, times):
    with pytest.raises(InvalidOptionError, match="times_seconds") as caught:
        sift.frames(CLIP, times)
    assert one_line(caught)


def test_times_of_numpy_are_fine(sift):
    assert len(sift.frames(CLIP, np.arange(2))) == len(sift.frames(CLIP, (0, 1.0))) == 2


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"evidence": []}, "evidence"),
        ({"evidence": {}}, "evidence"),
        ({"evidence": "all"}, "evidence"),
        ({"evidence": True}, "evidence"),
        ({"generation": None}, "generation"),
        ({"generation": {"seed": 1}}, "generation"),
        ({"generation": Generation}, "generation"),
        ({"question": 5}, "question"),
        ({"question": None}, "question"),
        ({"question": b"What?"}, "question"),
        ({"positions": "none"}, "positions"),
        ({"positions": []}, "positions"),
    ],
)
def test_options_of_questions(options, name):
    sift = VideoCompressor(vlm="tiny")
    with pytest.raises(InvalidOptionError, match=name) as caught:
        sift.ask(CLIP, **{"question": "What?", **options})
    assert one_line(caught)


def _nested(levels):
    return "protect-edges:strategy=[" * levels + "temporal" + "]" * levels


DEEP = [
    _nested(300),
    _nested(3000),
    "protect-edges:strategy=" * 300 + "temporal",
    "protect-edges:strategy=" * 12 + "temporal",
    _nested(12),
    "[" * 100_000,
    "temporal:threshold=" + "[" * 100_000,
    "temporal:threshold=" + "[" * 4000,
    "a=[" * 1000,
    " | ".join(["temporal"] * 5000),
    "temporal:" + "," * 10**6,
    "x" * 10**6,
    "chain:stages=" + _nested(50),
    "question:strategy=[chain:stages=" * 60 + "temporal" + "]" * 60,
    "\0\n\x1b[31m",
]


@pytest.mark.parametrize("spec", DEEP, ids=range(len(DEEP)))
def test_specs_without_end_are_refused_at_once(spec):
    start = time.perf_counter()
    for make in (
        create_strategy,
        lambda spec: VideoCompressor(strategy=spec),
        encoders.registry.create,
        lambda spec: ProtectEdges(strategy=spec),
    ):
        with pytest.raises(SpecError) as caught:
            make(spec)
        assert one_line(caught)
    assert time.perf_counter() - start < 5


def test_specs_within_the_limits_are_made_and_read_back():
    made = create_strategy(_nested(7))
    assert made.spec.count("protect-edges") == 7
    assert create_strategy(made.spec) == made
    assert create_strategy(" | ".join(["temporal"] * 100)).spec.count("temporal") == 100


@pytest.mark.parametrize("kind", [FetchLimits, SiteOptions])
def test_a_misspelt_option_in_a_mapping_is_an_error(kind):
    with pytest.raises(ValidationError, match="max_byte"):
        TypeAdapter(kind).validate_python({"max_byte": 3})


def test_options_with_a_path_are_json():
    options = SiteOptions(language="de,en", cookies_file="cookies.txt")
    adapter = TypeAdapter(SiteOptions)
    assert adapter.validate_python(json.loads(adapter.dump_json(options))) == options
