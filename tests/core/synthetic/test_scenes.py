import json
import tempfile
from itertools import pairwise

import av
import numpy as np
import pytest

from framesift.errors import (
    DownloadError,
    InvalidOptionError,
    UnsupportedSourceError,
    VideoTooLargeError,
)
from framesift.fetching.limits import FetchLimits
from framesift.sources import synthetic
from framesift.sources.base import open_video
from framesift.sources.synthetic import SyntheticSource, parse_uri
from framesift.synthetic.pixels import COLORS
from framesift.synthetic.scenes import SCENES, make_scene

SMALL = "width=320&height=180"
SEEDS = range(3)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def watch(uri):
    """Returns the truth of a video, its decoded frames `(T, H, W, 3)` and their times `(T,)`."""
    with open_video(uri) as video, av.open(str(video.path)) as container:
        frames = list(container.decode(video=0))
        data = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
        return video.truth, data, np.array([frame.time for frame in frames])


def events_of(truth, kind):
    return [event for event in truth["events"] if event["kind"] == kind]


def during(event, times):
    return (times > event["start_seconds"] - 1e-6) & (times < event["end_seconds"] - 1e-6)


def middle_frame(event, data, times):
    middle = (event["start_seconds"] + event["end_seconds"]) / 2
    return data[np.abs(times - middle).argmin()].astype(float)


def patch(picture, box, *, inner=1.0):
    """Returns the pixels of a relative box, or of its inner part."""
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = np.array(box) * (width, height, width, height)
    x, y, w, h = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) * inner / 2, (y1 - y0) * inner / 2
    return picture[round(y - h) : round(y + h), round(x - w) : round(x + w)]


def nearest_color(pixels):
    seen = np.median(pixels.reshape(-1, 3), axis=0)
    return min(COLORS, key=lambda name: np.abs(seen - COLORS[name]).sum())


def center_of_color(picture, color):
    """Returns the mean (x, y), relative to the picture, of what is close to a named color."""
    close = np.abs(picture.astype(float) - COLORS[color]).max(axis=-1) < 45
    rows, columns = np.nonzero(close)
    return np.array([columns.mean() / picture.shape[1], rows.mean() / picture.shape[0]])


@pytest.mark.usefixtures("drawn_anew")
@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_the_same_to_the_byte_and_cleans_up(name, temporary):
    uri = f"synthetic://{name}?seconds=2&seed=5&{SMALL}"
    with open_video(uri) as first, open_video(uri) as second:
        assert first.path.read_bytes() == second.path.read_bytes()
        assert first.truth == second.truth == json.loads(json.dumps(first.truth))
        assert first.truth["scene"] == name
        assert first.title
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", SCENES)
def test_the_stream_is_what_was_asked_for(name):
    with (
        open_video(f"synthetic://{name}?seconds=2.5&width=322&height=182&fps=10") as video,
        av.open(str(video.path)) as container,
    ):
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (322, 182, 10)
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        times = [frame.time for frame in container.decode(stream)]
    assert times == pytest.approx(np.arange(25) / 10)
    assert video.duration_seconds == 2.5


@pytest.mark.parametrize("name", SCENES)
def test_another_seed_is_another_video(name):
    one, other = (make_scene(*parse_uri(f"synthetic://{name}?seed={n}")) for n in (1, 2))
    assert np.abs(one.draw(0).astype(int) - other.draw(0)).max() > 10


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("query", ["seconds=1&fps=8", "width=64&height=64", "width=90&height=300"])
def test_the_truth_stays_within_the_video(name, query):
    scene = make_scene(*parse_uri(f"synthetic://{name}?{query}"))
    assert scene.draw(0).shape == (scene.settings.height, scene.settings.width, 3)
    spans = [*scene.truth["events"], *scene.truth["questions"]]
    for span in spans:
        assert 0 <= span["start_seconds"] < span["end_seconds"] <= scene.duration_seconds
    for event in scene.truth["events"]:
        x0, y0, x1, y1 = event["box"]
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_have_the_color_and_the_direction_that_the_truth_says(seed):
    truth, data, times = watch(f"synthetic://shapes?seed={seed}&seconds=4&{SMALL}")
    steps = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
    for event in events_of(truth, "shape"):
        facts = event["attributes"]
        spot = patch(middle_frame(event, data, times), event["box"], inner=0.3)
        assert nearest_color(spot) == facts["color"]
        shift = center_of_color(data[-1], facts["color"]) - center_of_color(data[0], facts["color"])
        along = shift @ steps[facts["direction"]]
        assert along > 0.05
        assert along > 5 * np.abs(shift @ steps[facts["direction"]][::-1])
    count = next(q for q in truth["questions"] if q["kind"] == "count")
    assert int(count["answer"]) == len(events_of(truth, "shape"))


def test_where_a_shape_starts_says_nothing_about_its_way():
    starts = {"left": [], "right": [], "up": [], "down": []}
    for seed in range(150):
        scene = make_scene(*parse_uri(f"synthetic://shapes?seed={seed}&width=128&height=72"))
        for event in scene.truth["events"]:
            starts[event["attributes"]["direction"]].append(event["attributes"]["path"][0])
    everywhere = np.concatenate(list(starts.values()))
    for places in starts.values():
        assert len(places) == pytest.approx(len(everywhere) / 4, rel=0.3)
        error = everywhere.std(axis=0) / np.sqrt(len(places))
        assert np.all(np.abs(np.mean(places, axis=0) - everywhere.mean(axis=0)) < 3 * error)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_number_is_seen_in_its_second_and_in_its_box_only(seed):
    truth, data, times = watch(f"synthetic://number?seed={seed}&seconds=6&{SMALL}")
    (event,) = events_of(truth, "number")
    assert event["end_seconds"] - event["start_seconds"] == pytest.approx(1)
    still = np.median(data, axis=0)
    change = np.abs(data - still).max(axis=-1)
    assert np.all((change.max(axis=(1, 2)) > 60) == during(event, times))
    shown = change[during(event, times)].mean(axis=0) > 40
    rows, columns = np.nonzero(shown)
    found = (
        columns.min() / 320,
        rows.min() / 180,
        (columns.max() + 1) / 320,
        (rows.max() + 1) / 180,
    )
    assert found == pytest.approx(event["box"], abs=0.03)
    half = "left" if found[2] <= 0.5 else "right"
    assert half == event["attributes"]["half"]


@pytest.mark.parametrize("name", ["cuts", "text"])
def test_the_picture_changes_at_the_chapters_and_only_there(name):
    for seed in SEEDS:
        uri = f"synthetic://{name}?seed={seed}&seconds=4&{SMALL}"
        truth, data, times = watch(uri)
        change = np.array([np.abs(b.astype(float) - a).mean() for a, b in pairwise(data)])
        starts = [event["start_seconds"] for event in truth["events"]][1:]
        cut = np.isclose(times[1:, None], starts).any(axis=1)
        assert cut.sum() == len(starts)
        assert change[cut].min() > 2 * change[~cut].max()
        chapters = open_video(uri, text_only=True).chapters
        assert [chapter.start_seconds for chapter in chapters][1:] == starts


def test_each_event_is_seen_where_and_when_the_truth_says():
    for seed in SEEDS:
        truth, data, times = watch(f"synthetic://events?seed={seed}&seconds=6&{SMALL}")
        told = events_of(truth, "event")
        empty = ~np.any([during(event, times) for event in told], axis=0)
        still = np.median(data[empty], axis=0)
        assert np.abs(data[empty] - still).mean(axis=(1, 2, 3)).max() < 3
        for event in told:
            picture = middle_frame(event, data, times)
            color = nearest_color(patch(picture, event["box"], inner=0.3))
            assert color == event["attributes"]["color"]
            within = np.abs(data[during(event, times)] - still).max(axis=(1, 2, 3))
            assert within.min() > 40


def test_the_order_that_is_asked_for_is_the_order_of_the_events():
    answers = []
    for seed in range(30):
        scene = make_scene(*parse_uri(f"synthetic://events?seed={seed}&width=64&height=64"))
        told = [event["attributes"]["description"] for event in scene.truth["events"]]
        asked = next(
            q for q in scene.truth["questions"] if q["question"].startswith("What happens first")
        )
        assert asked["answer"] == told[0]
        answers.append(asked["question"].startswith(f"What happens first: {told[0]},"))
        assert [line.text for line in scene.subtitles] == [f"{t.capitalize()}." for t in told]
    assert 5 < sum(answers) < 25


def test_mixed_has_every_kind_of_event_and_still_stretches():
    truth, data, times = watch(f"synthetic://mixed?seconds=15&{SMALL}")
    kinds = {event["kind"] for event in truth["events"]}
    assert kinds == {"text", "landscape", "number", "event"}
    (event,) = events_of(truth, "number")
    x0, y0, x1, y1 = event["box"]
    beside_the_digits = (x0, y0, x0 + (x1 - x0) * 0.2, y1)
    paper = patch(middle_frame(event, data, times), beside_the_digits, inner=0.6)
    assert nearest_color(paper) == event["attributes"]["color"]
    change = np.array([np.abs(b.astype(float) - a).mean() for a, b in pairwise(data)])
    assert np.mean(change < 1) > 0.4


def test_static_changes_by_noise_alone():
    truth, data, _ = watch(f"synthetic://static?seconds=2&{SMALL}")
    assert truth["events"] == []
    residue = data - data.mean(axis=0)
    assert 0.5 < residue.std() < 4
    quiet = watch(f"synthetic://static?seconds=2&noise=0&{SMALL}")[1]
    assert (quiet - quiet.mean(axis=0)).std() < residue.std() / 4


def test_text_only_draws_no_video(temporary):
    video = open_video("synthetic://cuts?seconds=7200", FetchLimits(), text_only=True)
    assert video.path is None
    assert video.chapters[-1].end_seconds == 7200
    assert list(temporary.iterdir()) == []


def test_an_unknown_scene_names_the_closest_one():
    with pytest.raises(UnsupportedSourceError, match=r"'shape' .*did you mean 'shapes'\?.*mixed"):
        open_video("synthetic://shape")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("second=3", "unknown option 'second'; did you mean 'seconds'"),
        ("seconds=3&seconds=4", "sets 'seconds' 2 times"),
        ("seconds=7201", "'seconds=7201' does not fit: .* 7200"),
        ("seconds=nan", "'seconds=nan' does not fit"),
        ("seconds=", "'seconds=' does not fit"),
        ("seconds=1&fps=2", "at least 8 frames"),
        ("width=321", "'width=321' does not fit: .*multiple of 2"),
        ("height=4098", "'height=4098' does not fit: .* 4096"),
        ("seed=red", "'seed=red' does not fit"),
        ("noise=-1", "'noise=-1' does not fit"),
        ("seed=1#x=3", "'seed=1#x=3' does not fit"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(query, message, temporary):
    with pytest.raises(InvalidOptionError, match=message) as caught:
        open_video(f"synthetic://shapes?{query}")
    assert "\n" not in str(caught.value)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (FetchLimits(max_duration_seconds=2), VideoTooLargeError),
        (FetchLimits(max_bytes=2000), VideoTooLargeError),
        (FetchLimits(total_seconds=0), DownloadError),
    ],
)
def test_limits_hold_and_leave_nothing_behind(limits, error, temporary):
    with pytest.raises(error, match="synthetic://shapes"):
        open_video(f"synthetic://shapes?seconds=3&{SMALL}", limits)
    assert list(temporary.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(temporary, monkeypatch):
    def interrupted(scene):
        assert list(temporary.iterdir())
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(synthetic, "_video_frames", interrupted)
    with pytest.raises(KeyboardInterrupt):
        SyntheticSource().open(f"synthetic://shapes?{SMALL}", FetchLimits())
    assert list(temporary.iterdir()) == []


def test_drift_slides_the_backdrop_and_leaves_what_happens_where_it_is():
    still = watch(f"synthetic://static?seconds=2&noise=0&fps=4&seed=2&{SMALL}")[1]
    slid = watch(f"synthetic://static?seconds=2&noise=0&fps=4&seed=2&drift=0.25&{SMALL}")[1]
    width = still.shape[2]
    assert not np.array_equal(slid[0], slid[1])
    away = np.abs(slid[4].astype(int) - np.roll(still[4], width // 4, axis=1)).mean()
    assert away < 4 < np.abs(slid[4].astype(int) - still[4]).mean()
    truths = [
        watch(f"synthetic://number?seconds=2&fps=4&seed=2&drift={drift}&{SMALL}")[0]["events"]
        for drift in (0, 0.25)
    ]
    assert truths[0] == truths[1]


def test_the_box_of_a_question_holds_what_it_is_about():
    truth = watch(f"synthetic://events?seed=1&seconds=6&{SMALL}")[0]
    (x0, y0, x1, y1), (u0, v0, u1, v1) = (event["box"] for event in truth["events"][:2])
    asked = {question["question"].split()[2]: question["box"] for question in truth["questions"]}
    assert asked["first:"] == [min(x0, u0), min(y0, v0), max(x1, u1), max(y1, v1)]
    (nothing,) = watch(f"synthetic://static?seconds=2&{SMALL}")[0]["questions"]
    assert nothing["box"] == [0.0, 0.0, 1.0, 1.0]
