"""The frame selector that comes with the package does what its card says, on a few videos."""

import json
import re

import pytest

from framesift.compression.compressor import VideoCompressor
from framesift.evaluation.selection.question_sets import brief_videos
from framesift.scorers.mllm import FOLDER
from framesift.sources.base import open_video

pytest.importorskip("transformers")


def hits(selector, videos):
    """Returns whether one of four frames shows what is asked for, for each local question."""
    sift, found = VideoCompressor(selector=selector), []
    for video in videos:
        with open_video(video.uri) as local:
            for question in video.questions:
                if question.scope == "local":
                    seconds = sift.select(local, 4, question.text).picked_seconds
                    found.append(any(map(question.is_shown, seconds)))
    return found


@pytest.mark.parametrize("seconds", [16, 48])
@pytest.mark.slow
def test_it_finds_what_a_question_is_about_in_videos_that_training_has_not_seen(seconds):
    videos = list(brief_videos("validation", 3, seconds))
    trained, uniform = (hits(selector, videos) for selector in ("nms:scorer=mllm", "uniform"))
    assert sum(trained) >= 0.75 * len(trained)
    assert sum(trained) > sum(uniform) + 0.2 * len(trained)


def test_it_is_small_in_half_precision_and_says_what_it_was_trained_on():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 4e6
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["trained_on"] == "synthetic://"
    assert config["network"]["head"] == "query_key"


def test_its_files_name_no_place_of_a_machine():
    for path in FOLDER.glob("*.[jm][sd]*"):
        assert not re.search(r"/(home|work|root|tmp|Users)/", path.read_text()), path.name


def test_its_card_tells_the_figures_of_the_results():
    results = FOLDER.parents[3] / "examples" / "results" / "selection.json"
    if not results.is_file():
        pytest.skip("not in a checkout")
    card = (FOLDER / "README.md").read_text()
    for row in json.loads(results.read_text())["rows"]:
        if row["way"] == "trained" and row["scope"] == "local":
            assert f"{row['right']:.1%}" in card
