"""The page in a browser: its clip, its frames and its keys, under its own policy."""

import contextlib
import struct
from fractions import Fraction

import pytest

import framesift
from driven_browser import AXE, CHROMIUM, tab
from framesift.report.clip import Clip
from framesift.report.page import write_report
from framesift.types.transcript import ReadingReport, Transcript
from framesift.types.video import TimedText

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH"),
]
CLIP = "document.querySelector('video.clip')"
DIALOG = "document.querySelector('#enlarged')"


@contextlib.contextmanager
def opened(tmp_path, made, local, length_seconds=6, **options):
    """Yields the page about a video made by hand, with the clip of another."""
    video, frames, keys = made
    path = tmp_path / "pages" / "page.html"
    clip = Clip.of(local, path, length_seconds=length_seconds, **options)
    write_report(path, video=video, frames=frames, keyframes=keys, clip=clip)
    with tab(tmp_path / "profile") as page:
        page.open(path.as_uri())
        page.wait("!!document.querySelector('.enlarge')")
        yield page


@pytest.mark.parametrize("most_bytes", [2**20, 0])
@pytest.mark.parametrize("start_seconds", [0, 5])
def test_a_time_plays_the_clip_from_there(tmp_path, sifted, write_video, most_bytes, start_seconds):
    times = [Fraction(number, 5) + start_seconds for number in range(30)]
    path = write_video(tmp_path / "a b#1.mp4", times=times)
    with (
        framesift.open_video(path) as local,
        opened(tmp_path, sifted(), local, most_bytes=most_bytes) as page,
    ):
        page.wait(f"{CLIP}.readyState >= 1")
        page.js("document.querySelectorAll('.frame .time')[3].click()")
        began = page.wait(f"{CLIP}.currentTime >= {start_seconds} + 3 && {CLIP}.currentTime")
        assert began < start_seconds + 5
        assert page.js("document.querySelector('.broken').hidden")


def test_times_count_from_the_first_frame_where_the_container_claims_more(
    tmp_path, sifted, write_video
):
    """An edit list delays ten seconds by five and shows three, of which libav says eight."""
    times = [Fraction(number, 25) + 5 for number in range(250)]
    path = write_video(tmp_path / "a.mp4", 250, times=times, codec_options={"bf": "0"})
    content = bytearray(path.read_bytes())
    struct.pack_into(">I", content, content.index(b"elst") + 24, 3000)
    path.write_bytes(content)
    with (
        framesift.open_video(path) as local,
        opened(tmp_path, sifted(), local, length_seconds=3.0) as page,
    ):
        page.wait(f"{CLIP}.readyState >= 1")
        page.js("document.querySelectorAll('.frame .time')[2].click()")
        page.wait(f"{CLIP}.currentTime >= 7")


def test_a_clip_of_which_the_browser_knows_the_sound_alone_is_said(tmp_path, sifted, write_video):
    path = write_video(tmp_path / "a.mp4", codec="mpeg4", audio_seconds=1)
    clip = Clip(address=path.name, where="Beside this page.")
    video, frames, keys = sifted()
    write_report(tmp_path / "page.html", video=video, frames=frames, keyframes=keys, clip=clip)
    with tab(tmp_path / "profile") as page:
        page.open((tmp_path / "page.html").as_uri())
        assert page.wait("document.querySelector('.broken')?.hidden === false")
        assert page.js(f"{CLIP}.error") is None


def test_the_clip_comes_along_and_is_closed(tmp_path, sifted, write_video):
    path = write_video(tmp_path / "a.mp4", 150)
    with framesift.open_video(path) as local, opened(tmp_path, sifted(), local) as page:
        page.resize(800, 400)
        last = "[...document.querySelectorAll('.frame .time')].at(-1)"
        page.js(f"{last}.scrollIntoView(), {last}.click()")
        page.wait("!!document.querySelector('#player.docked')")
        box = f"{CLIP}.getBoundingClientRect()"
        assert page.js(f"{box}.top >= 0 && {box}.bottom <= innerHeight")
        page.click(".undock")
        page.wait(f"!document.querySelector('#player.docked') && {CLIP}.paused")


def test_a_part_stops_at_its_end(tmp_path, sifted, write_video):
    path = write_video(tmp_path / "a.mp4", 150)
    with (
        framesift.open_video(f"{path}#t=1,3.5") as local,
        opened(tmp_path, sifted(), local) as page,
    ):
        page.js("document.querySelectorAll('.frame .time')[3].click()")
        page.wait(f"{CLIP}.currentTime >= 3.5 && {CLIP}.paused")
        assert page.js(f"{CLIP}.currentTime") < 5


def test_a_file_that_is_gone_is_said(tmp_path, sifted, write_video):
    path = write_video(tmp_path / "a.mp4")
    with framesift.open_video(path) as local:
        clip = Clip.of(local, tmp_path / "page.html", length_seconds=6, most_bytes=0)
    path.unlink()
    video, frames, keys = sifted()
    write_report(tmp_path / "page.html", video=video, frames=frames, keyframes=keys, clip=clip)
    with tab(tmp_path / "profile") as page:
        page.open((tmp_path / "page.html").as_uri())
        assert page.wait("document.querySelector('.broken')?.hidden === false")


def test_frames_enlarge_and_keys_go_through_them(tmp_path, sifted, write_video):
    path = write_video(tmp_path / "a.mp4")
    with framesift.open_video(path) as local, opened(tmp_path, sifted(), local) as page:
        page.js("document.querySelectorAll('.enlarge')[0].focus()")
        page.press("Enter")
        page.wait(f"{DIALOG}.open")
        alt = f"{DIALOG}.querySelector('img').alt"
        assert page.js(alt) == "Keyframe at 00:00"
        page.press("ArrowLeft")
        page.wait(f"{alt} == 'Frame at 00:05, 2 tokens kept'")
        page.press("ArrowRight")
        page.press("ArrowRight")
        page.wait(f"{alt} == 'Keyframe at 00:01'")
        assert page.js(f"{DIALOG}.querySelector('figcaption').innerText").startswith("00:01")
        page.press("Escape")
        page.wait(f"!{DIALOG}.open")
        label = "document.activeElement.getAttribute('aria-label')"
        page.wait(f"{label} == 'Enlarge. Keyframe at 00:01'")


def test_the_first_key_leads_past_the_head(tmp_path, sifted, write_video):
    path = write_video(tmp_path / "a.mp4")
    with framesift.open_video(path) as local, opened(tmp_path, sifted(), local) as page:
        page.press("Tab")
        assert page.js("document.activeElement.className") == "skip"
        page.press("Enter")
        page.wait("document.activeElement.id == 'content'")


RESULTS = "[1, 2].map((n) => document.querySelector(`.result-${n}`).checkVisibility())"


def test_strategies_switch_by_key_and_all_are_printed(tmp_path, sifted):
    video, frames, keys = sifted()
    path = tmp_path / "page.html"
    other = sifted(strategy="uniform")[0]
    write_report(path, video=video, frames=frames, keyframes=keys, others=[other])
    with tab(tmp_path / "profile") as page:
        page.open(path.as_uri())
        page.wait("document.readyState == 'complete'")
        assert page.js(RESULTS) == [True, False]
        page.js("document.querySelector('#choose-1').focus()")
        page.press("ArrowDown")
        assert page.js(RESULTS) == [False, True]
        page.media("print")
        assert page.js(RESULTS) == [True, True]
        controls = "[...document.querySelectorAll('input, summary, .skip, dialog')]"
        assert not page.js(f"{controls}.some((each) => each.checkVisibility())")


@pytest.mark.play
@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core; `make test-play` has it")
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(tmp_path, sifted, segmented, write_video, width, scheme):
    local = framesift.open_video(write_video(tmp_path / "a.mp4", 150))
    path = tmp_path / "page.html"
    video, frames, keys = sifted(warnings=["odd"])
    write_report(
        path,
        video=video,
        frames=frames,
        keyframes=keys,
        transcript=Transcript(
            uri="a.mp4",
            lines=(TimedText(start_seconds=1, end_seconds=2, text="Who?"),),
            readings=(ReadingReport(reader="subtitles", lines=1),),
        ),
        clip=Clip.of(local, path, length_seconds=6),
        others=[segmented()[0]],
    )
    with tab(tmp_path / "profile") as page:
        page.resize(width, 900)
        page.scheme(scheme)
        page.open(path.as_uri())
        page.wait("!!document.querySelector('.enlarge')")
        assert page.barriers() == []
        page.click("#choose-2")
        assert page.barriers() == []
        page.click(".result-2 .enlarge")
        page.wait(f"{DIALOG}.open")
        assert page.barriers() == []
