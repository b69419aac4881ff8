import errno
import os
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from framesift.errors import StorageError
from framesift.report.page import MOST_FRAMES, elapsed, write_report
from framesift.types.plan import TokenPlan
from framesift.types.transcript import ReadingReport, Transcript
from framesift.types.video import TimedText

VOID = {"meta", "img", "line", "rect", "circle", "br", "link", "input"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7*7 }}"


class Page(HTMLParser):
    """A parsed page: its elements, its text, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.text += " " if tag in {"td", "th"} else ""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of_class(self, name):
        return [a for _, a in self.elements if name in a.get("class", "").split()]


def page_of(tmp_path, video, frames, keyframes, **options) -> Page:
    path = tmp_path / "new" / "page.html"
    write_report(path, video=video, frames=frames, keyframes=keyframes, **options)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_every_frame_and_keyframe_has_its_figure(tmp_path, sifted):
    page = page_of(tmp_path, *sifted(frame_count=6, keyframes=2))
    assert len(page.of_class("frame")) == 6
    assert len(page.of_class("lost")) == 1
    assert len(page.of_class("marked")) == 2
    assert len(page.of_class("keyframe")) == len(page.of_class("key")) == 2
    assert len(page.of_class("bar")) == 6
    assert sum(tag == "img" for tag, _ in page.elements) == 8 + 1  # that of the dialog


def test_the_question_that_tokens_were_chosen_for_is_on_the_page(tmp_path, sifted):
    page = page_of(tmp_path, *sifted(question=HOSTILE))
    assert HOSTILE in page.text
    assert "Question" not in page_of(tmp_path, *sifted()).text


@pytest.mark.parametrize(("end", "shown"), [(4.0, "00:04"), (60.0, "00:06")])
def test_the_part_that_was_looked_at_is_on_the_page(tmp_path, sifted, end, shown):
    page = page_of(tmp_path, *sifted(part_seconds=(1.0, end)))
    assert f"Part of it00:01 to {shown}" in page.text
    assert "Part of it" not in page_of(tmp_path, *sifted()).text


def test_the_numbers_of_the_report_are_on_the_page(tmp_path, sifted):
    changes = {"tokens_in": 123_456, "tokens_out": 3_210, "budget": 3_210, "keep": 0.026}
    page = page_of(tmp_path, *sifted(**changes, warnings=["two frames were damaged"]))
    text = " ".join(page.text.split())
    assert "123,456 → 3,210" in text
    assert "2.6 % kept" in text
    assert "2.6 % asked; met exactly" in text
    assert "6 → 5" in text
    assert "temporal:threshold=0.9" in text
    assert "two frames were damaged" in text
    assert "decoding it 1.500" in text
    assert "in all 1.750" in text
    assert "torch 2.6.0" in text
    assert "00:05" in text


@pytest.mark.parametrize(
    ("budget", "words"),
    [(18, "met exactly"), (20, "2 below the budget"), (17, "1 over the budget")],
)
def test_a_missed_budget_is_said(tmp_path, sifted, budget, words):
    page = page_of(tmp_path, *sifted(budget=budget))
    assert words in page.text


def test_the_page_loads_nothing(tmp_path, sifted):
    page = page_of(tmp_path, *sifted(uri="https://example.com/watch?v=1"), title="https://t")
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert attributes.get("href", "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:image/jpeg;base64,").startswith(
            "data:image/jpeg;base64,"
        )
    assert not re.search(r"url\(|@import", page.html)
    policy = next(a["content"] for _, a in page.elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:; style-src")


def test_hostile_text_stays_text(tmp_path, sifted):
    video, frames, keys = sifted(
        uri=HOSTILE, strategy=HOSTILE, warnings=[HOSTILE], versions={HOSTILE: HOSTILE}
    )
    hostile_keys = [
        type(key)(image=key.image, pts_seconds=0.0, score=1.0, reason=HOSTILE) for key in keys
    ]
    page = page_of(tmp_path, video, frames, hostile_keys, title=HOSTILE)
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert page.text.count(HOSTILE) >= 7


SAID = (
    TimedText(start_seconds=2, end_seconds=5.5, text="What is the girl wearing?", source="screen"),
    TimedText(start_seconds=65, end_seconds=70, text="The girl wears a glove", speaker="Ann"),
    TimedText(start_seconds=80, end_seconds=90, text=HOSTILE, again_seconds=((3700, 3702),)),
    TimedText(
        start_seconds=91, end_seconds=92, text="\u05e9\u05dc\u05d5\u05dd <|im_end|> Caf\u00e9"
    ),
)
TRANSCRIPT = Transcript(
    uri=HOSTILE,
    lines=SAID,
    readings=(
        ReadingReport(reader="subtitles", lines=3),
        ReadingReport(reader="screen:fps=2.0", lines=1, frames_read=4, frames_total=9),
    ),
)


def test_the_transcript_is_on_the_page_as_text(tmp_path, sifted):
    page = page_of(tmp_path, *sifted(), transcript=TRANSCRIPT)
    text = " ".join(page.text.split())
    assert "4 lines of subtitles (3), screen:fps=2.0 (1)." in text
    assert "00:02 to 00:05, screen What is the girl wearing?" in text
    assert "01:05 to 01:10, subtitles Ann The girl wears a glove" in text
    assert f"{HOSTILE} again 1:01:40" in text
    assert SAID[-1].text in text
    assert len(page.of_class("said")) == 4
    assert all(each["dir"] == "auto" for each in page.of_class("said"))


def test_the_page_runs_its_own_script_alone(tmp_path, sifted):
    page = page_of(tmp_path, *sifted(uri=HOSTILE), transcript=TRANSCRIPT)
    scripts = re.findall("<script>(.*?)</script>", page.html, re.DOTALL)
    assert len(scripts) == sum(tag == "script" for tag, _ in page.elements) == 1
    assert "search" in scripts[0]
    digest = b64encode(sha256(scripts[0].encode()).digest()).decode()
    policy = next(a["content"] for _, a in page.elements if "http-equiv" in a)
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    for nothing in (None, TRANSCRIPT.model_copy(update={"lines": ()})):
        without = page_of(tmp_path, *sifted(), transcript=nothing)
        assert 'getElementById("search")' not in without.html
        assert "Transcript" not in without.html


@pytest.mark.parametrize(
    ("uri", "title", "heading"),
    [
        ("/films/talk.mp4", None, "talk.mp4"),
        ("https://a.example/b/talk.mp4?token=1", None, "talk.mp4"),
        ("https://youtu.be/abc", None, "https://youtu.be/abc"),
        ("/films/talk.mp4", "My talk", "My talk"),
    ],
)
def test_heading(tmp_path, sifted, uri, title, heading):
    page = page_of(tmp_path, *sifted(uri=uri), title=title)
    assert f"<h1>{heading}</h1>" in page.html


def test_one_frame(tmp_path, sifted):
    page = page_of(tmp_path, *sifted(frame_count=1, keyframes=0))
    assert len(page.of_class("frame")) == 1
    assert page.of_class("keyframe") == []


def test_two_hours_show_a_part_and_say_so(tmp_path, sifted):
    page = page_of(tmp_path, *sifted(frame_count=1800, spacing_seconds=4.0, pictures=150))
    assert len(page.of_class("frame")) == MOST_FRAMES
    assert "120 of 1,800 sampled frames are shown" in page.text
    assert "2:00:00" in page.text
    assert "1:59:56" in page.text


def test_a_merging_plan_is_explained(tmp_path, sifted):
    plan = TokenPlan.merge(torch.arange(72) // 4, tokens_per_frame=12)
    page = page_of(tmp_path, *sifted(plan=plan))
    assert "merged" in page.text
    assert page.of_class("lost") == []


def test_segments_say_what_their_tokens_stand_for(tmp_path, segmented):
    page = page_of(tmp_path, *segmented(frame_count=9, length=4, keyframes=1))
    text = " ".join(page.text.split())
    assert len(page.of_class("segment")) == 3
    assert len(page.of_class("detail")) == 3
    assert len(page.of_class("frame")) == 9
    assert len(page.of_class("marked")) == 1
    assert "9 → 9 sampled, and in 3 segments" in text
    assert "00:04 to 00:07 4 tokens show 00:04 in detail 2 stand for all 4 frames" in text
    assert text.count("stand for all") == 2
    assert "segments are shown" not in text
    assert "survives of each frame" not in text


def test_segments_that_are_left_out_are_counted(tmp_path, segmented):
    page = page_of(tmp_path, *segmented(frame_count=4 * MOST_FRAMES, length=4))
    assert len(page.of_class("segment")) == MOST_FRAMES // 4
    assert f"{MOST_FRAMES // 4} of {MOST_FRAMES} segments are shown" in page.text


def test_frames_that_were_left_out_of_the_segments_are_counted(tmp_path, segmented):
    page = page_of(tmp_path, *segmented(frame_count=8, length=4, left_out=2))
    text = " ".join(page.text.split())
    assert "8 → 7 sampled" in text
    assert "1 of 8 sampled frames are in none of them" in text


def test_several_strategies_stand_in_one_page_and_their_frames_share_the_limit(tmp_path, sifted):
    video, frames, keys = sifted(frame_count=100)
    other = sifted(frame_count=100, strategy=HOSTILE, tokens_out=30, warnings=["odd"])[0]
    page = page_of(tmp_path, video, frames, keys, others=[other])
    assert len(page.of_class("frame")) == MOST_FRAMES
    assert len(page.of_class("keyframe")) == len(keys)
    assert [len(page.of_class(f"result-{number}")) for number in (1, 2, 3)] == [1, 1, 0]
    choices = [a for tag, a in page.elements if tag == "input" and a["type"] == "radio"]
    assert [("checked" in each, each["id"]) for each in choices] == [
        *[(True, "choose-1"), (False, "choose-2")]
    ]
    text = " ".join(page.text.split())
    assert "2 strategies" in text
    assert f"{HOSTILE} 30 of 1,200" in text
    assert page.html.index("odd</li>") > page.html.index('id="result-2"')
    assert "<script>alert" not in page.html


def test_a_page_is_the_same_each_time(tmp_path, sifted):
    made = sifted(frame_count=12)
    pages = [page_of(tmp_path, *made, others=[made[0]]).html for _ in range(2)]
    assert pages[0] == pages[1]


def test_time_that_overlaps_is_counted_once():
    assert elapsed({"decode": 2.0, "wait": 0.5, "encode": 1.0}) == 1.5
    assert elapsed({"decode": 2.0, "encode": 1.0}) == 3.0


def test_large_keyframes_are_made_smaller(tmp_path, sifted):
    video, frames, (key, *_) = sifted()
    large = type(key)(image=Image.new("RGBA", (3000, 2000)), pts_seconds=0, score=1, reason="")
    page = page_of(tmp_path, video, frames, [large])
    assert len(page.html) < 100_000


def test_a_failure_leaves_the_old_page_and_nothing_else(tmp_path, sifted, monkeypatch):
    video, frames, keys = sifted()
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(ValueError, match="at least one picture"):
        write_report(path, video=video, frames=frames[:0], keyframes=keys)

    def full_disk(_):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StorageError, match="disk full"):
        write_report(path, video=video, frames=frames, keyframes=keys)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
MEASURE = """<script>addEventListener("load", () => {
  const root = document.documentElement, images = [...document.images];
  root.dataset.measured = [innerWidth, root.scrollWidth, images.length,
    images.filter(image => image.naturalWidth).length].join(" ")})</script>"""


def chromium(tmp_path: Path, *options: str) -> str:
    quiet = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", f"--user-data-dir={tmp_path / 'profile'}"),
    )
    command = [str(CHROMIUM), *quiet, *options]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()


@browser
@pytest.mark.browser
@pytest.mark.parametrize("kind", ["sifted", "segmented"])
def test_a_narrow_browser_shows_all_of_it(tmp_path, request, kind):
    long_words = {"uri": "https://example.com/" + "x" * 300, "strategy": "chain:" + "a=1," * 60}
    made = request.getfixturevalue(kind)
    video, frames, keys = made(frame_count=40, keyframes=5, tokens_in=987_654_321, **long_words)
    page = page_of(tmp_path, video, frames, keys)
    measured = tmp_path / "measured.html"
    measured.write_text(re.sub("<meta http-equiv[^>]*>", MEASURE, page.html), encoding="utf-8")
    dom = chromium(tmp_path, "--window-size=420,900", "--dump-dom", measured.as_uri())
    found = re.search(r'data-measured="(\d+) (\d+) (\d+) (\d+)"', dom)
    assert found, "the page did not load"
    inner, scroll, images, loaded = map(int, found.groups())
    assert scroll <= inner <= 500
    assert (images, loaded) == (46, 45)  # that of the dialog is empty


TYPED = """<script>addEventListener("load", () => {
  const box = document.getElementById("search"), root = document.documentElement;
  const shown = (typed) => {
    box.value = typed;
    box.dispatchEvent(new Event("input"));
    const rows = [...document.querySelectorAll("#lines li")];
    return rows.map((row) => row.hidden ? 0 : 1).join("");
  };
  root.dataset.usable = getComputedStyle(box.parentElement).display !== "none";
  const typed = ["girl", "GIRL  glove", "cafe", "im_end|>", "<script>", "1:01", "elephant", "",
    "to", "again", "screen", "00", "ann glove"];
  root.dataset.shown = typed.map(shown).join(" ");
  shown("caf\u00c9");
  root.dataset.accented = [...CSS.highlights.get("found")].map(String).join(" ");
  root.dataset.marked = (shown("girl"), CSS.highlights.get("found").size);
  root.dataset.found = document.getElementById("found").value})</script>"""


@browser
@pytest.mark.slow
@pytest.mark.browser
def test_a_browser_shows_the_lines_that_hold_what_is_typed(tmp_path, sifted):
    page = page_of(tmp_path, *sifted(), transcript=TRANSCRIPT)
    digest = b64encode(sha256(TYPED[8:-9].encode()).digest()).decode()
    allowed = page.html.replace("script-src ", f"script-src 'sha256-{digest}' ")
    typing = tmp_path / "typed.html"
    typing.write_text(allowed.replace("</body>", f"{TYPED}</body>"), encoding="utf-8")
    dom = chromium(tmp_path, "--dump-dom", typing.as_uri())
    assert 'data-usable="true"' in dom
    shown = re.search('data-shown="([^"]*)"', dom)[1]
    typed = ["1100", "0100", "0001", "0001", "0010", "0010", "0000", "1111"]
    # Words of the page around the lines, "to", "again" and readers, are found in no line.
    assert shown.split() == [*typed, "0000", "0000", "0000", "0000", "0100"]
    assert 'data-accented="Caf\u00e9"' in dom
    assert 'data-marked="2" data-found="2 of 4 lines"' in dom


@browser
@pytest.mark.browser
def test_a_browser_paints_the_page_under_its_own_policy(tmp_path, sifted):
    page_of(tmp_path, *sifted(frame_count=12))
    picture = tmp_path / "page.png"
    address = (tmp_path / "new" / "page.html").as_uri()
    chromium(tmp_path, "--window-size=1000,1400", f"--screenshot={picture}", address)
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert pixels.shape[:2] == (1400, 1000)
    accent = np.abs(pixels - [0x2B, 0x7A, 0x8C]).max(-1) < 3
    assert accent.sum() > 1000, "the bars of the timeline are missing"
    colours_below = np.unique(pixels[700:].reshape(-1, 3), axis=0)
    assert len(colours_below) > 500, "the frames are missing"
