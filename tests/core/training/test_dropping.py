import itertools
import random

import pytest
import torch

from framesift.training.dialogs import LONGEST_SLOTS, Dropping
from framesift.training.seen import GLIMPSE_FRAMES, Seen
from packed_dialogs import dialogs_of, noise, row_of, seen

PATCHES = 9
KINDS = ["none", "tokens", "frames", "still"]


@pytest.fixture(scope="module")
def tokenizer(processor):
    return processor.tokenizer


@pytest.fixture(scope="module")
def one_row(tokenizer, special):
    """Returns what a clip of noise becomes."""
    dialogs = dialogs_of([], tokenizer, special)

    def one_row(clip, seed=0, **dropping):
        batch = dialogs.batch([clip], Dropping(**dropping), random.Random(seed))
        return row_of(batch, 0, special)

    return one_row


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("keep", [0.001, 0.06, 0.37, 0.69])
def test_what_is_kept_is_counted_in_order_and_in_its_place(kind, keep, one_row):
    clip = seen(noise(5))
    row = one_row(clip, 4, kind=kind, keep=keep)
    assert len(row.places) == max(1, round(keep * 45))
    assert torch.all(row.places.diff() > 0)
    assert torch.equal(row.features, clip.features.flatten(0, 1)[row.places - 1])
    first = row.positions[1 + len(row.places)]
    assert first == 1 + 45


def test_everything_is_kept_where_nothing_is_dropped(one_row):
    clip = seen(noise(4))
    row = one_row(clip, kind="none")
    assert row.places.tolist() == list(range(1, 1 + 4 * PATCHES))


def test_frames_are_kept_whole(one_row):
    clip, chosen = seen(noise(5)), set()
    for seed in range(20):
        row = one_row(clip, seed, kind="frames", keep=0.4)
        counts = torch.bincount((row.places - 1) // 9, minlength=5)
        assert sorted(counts.tolist()) == [0, 0, 0, 9, 9]
        chosen.add(tuple(counts.tolist()))
    assert len(chosen) > 4


def test_what_stands_still_goes_first(one_row):
    features = noise(1).expand(6, 9, 32).clone()
    features[3:, 4] = -features[0, 4]
    features[5, 7] = -features[0, 7]
    clip = seen(features)
    for seed in range(5):
        row = one_row(clip, seed, kind="still", keep=(9 + 2) / 54)
        assert row.places.tolist() == [*range(1, 10), 1 + 3 * 9 + 4, 1 + 5 * 9 + 7]


def test_compact_positions_are_counted_over_what_is_left(one_row):
    clip = seen(noise(4))
    row = one_row(clip, 5, kind="tokens", keep=0.5, compact=True, stretched=True)
    assert row.places.tolist() == list(range(1, 19))
    assert row.positions[19] == 19


def test_stretched_frames_keep_their_order_and_hold_together(one_row):
    clip = seen(noise(6))
    spread = set()
    for seed in range(20):
        row = one_row(clip, seed, kind="none", stretched=True)
        places = (row.places - 1).reshape(6, 9)
        slots = places[:, 0] // 9
        assert torch.equal(places, slots[:, None] * 9 + torch.arange(9))
        assert torch.all(slots.diff() > 0)
        after = int(row.positions[1 + 54]) - 1
        assert after % 9 == 0
        assert slots[-1] < after // 9 <= LONGEST_SLOTS
        assert torch.equal(row.features, clip.features.flatten(0, 1))
        spread.add(tuple(slots.tolist()))
    assert len(spread) > 15


def asked(kind, start, end, question):
    span = {"start_seconds": start, "end_seconds": end}
    return {"question": question, "answer": "yes", "kind": kind, **span}


def test_a_glimpse_is_of_the_frames_that_a_question_is_about():
    facts = [
        asked("color", 3.0, 6.0, "What color?"),
        asked("number", 3.0, 6.0, "What number?"),
        asked("order", 3.0, 6.0, "What is first?"),
        asked("count", 0.0, 10.0, "How many?"),
    ]
    features = noise(10, patches=4)
    clip = Seen(features=features, times_seconds=[float(t) for t in range(10)], questions=facts)
    seen_times = set()
    for seed in range(20):
        glimpse = clip.glimpse(random.Random(seed))
        assert glimpse.questions == facts[:2]
        places = [int(seconds) for seconds in glimpse.times_seconds]
        assert torch.equal(glimpse.features, features[places])
        seen_times.add(tuple(glimpse.times_seconds))
    assert seen_times == {(3.0,), (4.0,), (3.0, 4.0), (4.0, 5.0)}


@pytest.mark.parametrize(("start", "end", "count"), [(4.0, 5.0, 1), (4.2, 4.8, 10)])
def test_a_glimpse_of_little_is_short_and_of_nothing_is_the_clip(start, end, count):
    clip = Seen(
        features=noise(10, patches=4),
        times_seconds=[float(t) for t in range(10)],
        questions=[asked("text", start, end, "What?"), asked("order", 0.0, 9.0, "First?")],
    )
    assert len(clip.glimpse(random.Random(0)).features) == count


def test_glimpses_come_first_and_then_some_of_the_time(tokenizer, special):
    dialogs = dialogs_of(many_clips(), tokenizer, special, seed=3, glimpses=10)
    batches = list(itertools.islice(dialogs, 100))
    glimpses = [
        batch["features"].shape[1] <= GLIMPSE_FRAMES * 4 and len(batch["features"]) > dialogs.size
        for batch in batches
    ]
    assert all(glimpses[:10])
    assert 5 < sum(glimpses[10:]) < 50


def many_clips():
    return [seen(noise(1 + seed % 7, patches=4, seed=seed)) for seed in range(40)]


def test_the_same_seed_gives_the_same_batches(tokenizer, special):
    drawn = [
        list(
            itertools.islice(dialogs_of(many_clips(), tokenizer, special, seed=seed, glimpses=2), 8)
        )
        for seed in (7, 7, 8)
    ]
    for one, same, _ in zip(*drawn, strict=True):
        assert all(torch.equal(one[name].nan_to_num(99), same[name].nan_to_num(99)) for name in one)
    assert any(
        one["text"].shape != other["text"].shape or not torch.equal(one["text"], other["text"])
        for one, other in zip(drawn[0], drawn[2], strict=True)
    )


def test_clips_of_a_batch_are_of_about_the_same_length(tokenizer, special):
    dialogs = dialogs_of(many_clips(), tokenizer, special)
    lengths = [len(clip.features) for clip in dialogs.clips]
    assert lengths == sorted(lengths)
    places_of = {id(clip): place for place, clip in enumerate(dialogs.clips)}
    seen = []
    near = 8 * dialogs.size

    def batch(clips, dropping, rng):
        seen.append([places_of.get(id(clip), -1) for clip in clips])
        return {}

    dialogs.batch = batch
    list(itertools.islice(dialogs, 600))
    seen = [places for places in seen if -1 not in places]
    assert len(seen) > 100
    assert all(max(places) - min(places) < near for places in seen)
    assert {place for places in seen for place in places} > set(range(2, 38))


def test_droppings_are_of_every_kind():
    rng = random.Random(0)
    drawn = [Dropping.drawn(rng) for _ in range(400)]
    kinds = {kind: sum(one.kind == kind for one in drawn) for kind in KINDS}
    assert all(count > 30 for count in kinds.values())
    assert 100 < kinds["none"] < 170
    for flag in ("compact", "stretched", "chat"):
        assert 20 < sum(getattr(one, flag) for one in drawn) < 140
    assert all(0 < one.keep < 1 for one in drawn)


def test_a_medley_shows_a_frame_of_each_of_a_few_things():
    questions = [
        {"kind": "number", "start_seconds": t, "end_seconds": t + 2.0, "question": f"{t}?"}
        for t in (0.0, 4.0, 8.0)
    ]
    questions.append(
        {"kind": "count", "start_seconds": 0.0, "end_seconds": 10.0, "question": "all?"}
    )
    clip = Seen(
        features=torch.arange(12.0)[:, None, None].expand(12, 64, 4),
        times_seconds=[float(t) for t in range(12)],
        questions=questions,
        course={"where": torch.zeros(12, 64, 2), "rank": torch.zeros(12, 64)},
    )
    for seed in range(8):
        few = clip.medley(random.Random(seed))
        shown = sorted({int(t // 4) for t in few.times_seconds})
        assert 1 <= len(few.times_seconds) == len(shown)
        assert all(t % 4 < 2 for t in few.times_seconds)
        assert few.features[:, 0, 0].tolist() == few.times_seconds
        assert few.questions == [questions[number] for number in shown]
        assert set(few.course) == {"where"}
    without = Seen(
        features=clip.features, times_seconds=clip.times_seconds, questions=questions[3:]
    )
    assert without.medley(random.Random(0)) is without
