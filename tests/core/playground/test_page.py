"""The playground in a browser, as the command starts it."""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from urllib.parse import urlsplit

import httpx
import pytest

from driven_browser import AXE, CHROMIUM, DEADLINE_SECONDS, tab

pytestmark = [
    pytest.mark.play,
    pytest.mark.browser,
    pytest.mark.skipif(
        importlib.util.find_spec("gradio") is None, reason="gradio is not installed"
    ),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH"),
]
TIMES = "document.querySelectorAll('#look-1 .keyframes .time')"
SHOWN = "document.querySelectorAll('.look').length"
VIDEO = "document.querySelector('#clip video')"
PROBLEM = "document.querySelector('#problem p')?.textContent"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a playground, and the folder of its temporary files."""
    with serving(tmp_path_factory.mktemp("temporary")) as found:
        yield found


@contextlib.contextmanager
def serving(folder, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "framesift", "play", *arguments, "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
    )
    with process:
        line = process.stdout.readline()
        yield re.search("http://127[^ ]*", line)[0], folder
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE_SECONDS)
    assert list(folder.glob("framesift-*")) == []


@contextlib.contextmanager
def opened(served, tmp_path):
    with tab(tmp_path / "profile") as page:
        page.open(served[0])
        page.wait("!!document.querySelector('#run')")
        yield page


def test_two_strategies_stand_side_by_side_and_a_time_plays_the_clip(served, tmp_path):
    with opened(served, tmp_path) as page:
        assert "means nothing" in page.js("document.querySelector('#model').innerText")
        page.click("#run")
        page.wait(f"{SHOWN} == 2")
        tokens = "[...document.querySelectorAll('.look .tokens')].map((each) => each.innerText)"
        assert page.js(tokens) == ["512 \u2192 128"] * 2
        names = "[...document.querySelectorAll('.look')].map((each) => each.dataset.strategy)"
        assert page.js(names) == ["temporal", "uniform"]
        page.wait("document.querySelector('#clip video').readyState >= 1")
        page.js(f"{TIMES}[3].click()")
        page.wait("document.querySelector('#clip video').currentTime >= 3")
        assert page.js(f"Number({TIMES}[3].dataset.seconds)") == 3
        assert page.js("document.querySelector('#clip .broken').hidden")
        hosts = {urlsplit(url).netloc for url in page.asked_for if url.startswith("http")}
        assert hosts == {urlsplit(served[0]).netloc}


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core; `make test-play` has it")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier_but_of_the_button_that_gradio_makes(served, tmp_path, scheme):
    with tab(tmp_path / "profile") as page:
        page.scheme(scheme)
        page.open(served[0])
        page.wait("!!document.querySelector('#run')")
        page.type("#question textarea, #question input", "What number flashes?")
        page.click("#ask")
        page.wait("!!document.querySelector('#answer-2 .answer')")
        found = [each for each in page.barriers() if "upload-container" not in each[1]]
        assert found == []


def test_a_question_has_its_evidence_and_the_call_is_copied(served, tmp_path):
    with opened(served, tmp_path) as page:
        page.type("#question textarea, #question input", "What number flashes?")
        page.wait("!!document.querySelector('#question textarea, #question input').value")
        page.click("#ask")
        page.wait("!!document.querySelector('#answer-2 .answer')")
        answer = page.js("document.querySelector('#answer-1 .said').innerText")
        assert answer == "44"
        evidence = page.js("document.querySelector('#answer-1 .evidence .time').dataset.seconds")
        assert float(evidence) == 3
        assert page.js("document.querySelector('#answer-1 .evidence img').naturalWidth") == 640
        page.click("button.label-wrap")
        program = page.wait("document.querySelector('#python .cm-content')?.innerText")
        assert "framesift.VideoCompressor(strategy='temporal', keep=0.25" in program


def test_work_says_what_it_does(served, tmp_path):
    with opened(served, tmp_path) as page:
        page.js(
            "window.seen = new Set(); new MutationObserver(() => document.body.innerText"
            ".match(/Decoding it|Making tokens|Answering/g)?.forEach((each) => seen.add(each)))"
            ".observe(document.body, {childList: true, subtree: true, characterData: true})"
        )
        page.type("#link textarea, #link input", "synthetic://number?seed=3&seconds=240")
        page.type("#question textarea, #question input", "What number flashes?")
        page.click("#ask")
        page.wait(f"{SHOWN} == 2 || {PROBLEM}")
        assert page.js(PROBLEM) is None
        assert page.js("seen.size") > 0


def test_a_part_ends_where_it_ends(served, tmp_path):
    with opened(served, tmp_path) as page:
        page.type("#link textarea, #link input", "synthetic://number?seed=3#t=1,3.5")
        page.click("#run")
        page.wait(f"{SHOWN} == 2 && {VIDEO}.readyState >= 1")
        page.js(f"{TIMES}[2].click()")
        page.wait(f"{VIDEO}.currentTime >= 3.5 && {VIDEO}.paused")
        assert page.js(f"{VIDEO}.currentTime") < 4.5


def test_a_clip_whose_clock_begins_late_plays_what_is_shown(served, tmp_path, write_video):
    times = [5 + Fraction(number, 25) for number in range(150)]
    clip = write_video(tmp_path / "late.mp4", len(times), times=times)
    with opened(served, tmp_path) as page:
        page.give_file("#file input[type=file]", clip)
        page.wait("document.querySelector('#file').innerText.includes('late')")
        page.click("#run")
        page.wait(f"{SHOWN} == 2 && {VIDEO}.readyState >= 1")
        time = "document.querySelectorAll('#look-1 .frames .time')[3]"
        page.js(f"{time}.click()")
        assert page.js(f"Number({time}.dataset.seconds)") == pytest.approx(3)
        began = page.wait(f"{VIDEO}.currentTime >= 5 + 3 && {VIDEO}.currentTime")
        assert began < 5 + 3 + 2


@pytest.mark.parametrize(
    "link", ["http://127.0.0.1/a.mp4", "/etc/passwd", "file:///etc", "nothing at all"]
)
def test_what_cannot_be_opened_is_one_line(served, tmp_path, link):
    with opened(served, tmp_path) as page:
        page.type("#link textarea, #link input", link)
        page.click("#run")
        line = page.wait(PROBLEM)
        assert link.removeprefix("http://")[:9] in line
        assert "http" in link or "drop the file here" in line
        assert "\n" not in line
        assert page.js(SHOWN) == 0


def test_a_dropped_file_goes_with_who_dropped_it(served, tmp_path, write_video):
    clip = write_video(tmp_path / "dropped.mp4", 50)
    _, folder = served
    with opened(served, tmp_path) as page:
        page.give_file("#file input[type=file]", clip)
        page.wait("document.querySelector('#file').innerText.includes('dropped')")
        page.click("#run")
        page.wait(f"{SHOWN} == 2 || {PROBLEM}")
        assert page.js(PROBLEM) is None
        assert list(folder.rglob("dropped.mp4"))
    end = time.monotonic() + DEADLINE_SECONDS
    while list(folder.rglob("dropped.mp4")):
        assert time.monotonic() < end, "the file stays"
        time.sleep(0.2)


def test_a_part_of_a_file_that_the_command_names_is_played(tmp_path, write_video):
    clip = write_video(tmp_path / "own.mp4", 150)
    with serving(tmp_path, f"{clip}#t=1,3.5") as served, opened(served, tmp_path) as page:
        page.click("#run")
        page.wait(f"{SHOWN} == 2 && {VIDEO}.readyState >= 1 || {PROBLEM}")
        assert page.js(PROBLEM) is None
        page.js(f"{TIMES}[2].click()")
        page.wait(f"{VIDEO}.currentTime >= 3.5 && {VIDEO}.paused")
        page.type("#link textarea, #link input", str(clip))
        page.click("#run")
        assert "own.mp4" in page.wait(PROBLEM)


def test_gradio_s_own_ways_to_files_are_not_there(served):
    for path in ("gradio_api/file=/etc/passwd", "gradio_api/info", "monitoring/summary"):
        assert httpx.get(f"{served[0]}{path}").status_code == 404
    assert httpx.get(served[0], headers={"Host": "a.example"}).status_code == 421


def test_two_people_do_not_see_each_other(served, tmp_path):
    with opened(served, tmp_path / "a") as one, opened(served, tmp_path / "b") as other:
        one.type("#link textarea, #link input", "synthetic://cuts?seconds=9&seed=2")
        one.click("#run")
        other.click("#run")
        lengths = []
        for page in (one, other):
            page.wait(f"{SHOWN} == 2")
            lengths.append(page.wait("document.querySelector('#clip video').duration"))
        assert lengths == [9, 8]
