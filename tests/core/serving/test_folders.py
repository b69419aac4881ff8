"""Which files text of strangers may name, what they are called, and that only these are opened."""

import os
import sys
import threading
from pathlib import Path

import pytest

import framesift
from framesift import LocalVideo
from framesift.errors import ForbiddenAddressError, FramesiftError, SourceError
from framesift.serving import AllowedFolders
from framesift.sources import beneath

walks = pytest.mark.skipif(not beneath.CAN_WALK, reason="opens nothing relative to a folder")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
CLIP = "synthetic://number?seed=3&seconds=1"
SRT = "1\n00:00:00,000 --> 00:00:01,000\n{}\n"


@pytest.fixture(scope="module")
def clip():
    with framesift.open_video(CLIP) as local:
        return local.path.read_bytes()


@pytest.fixture
def videos(tmp_path, clip):
    folder = tmp_path / "videos"
    (folder / "talks").mkdir(parents=True)
    for name in ("a clip.mp4", "talks/keynote.mp4", "talks/Grüße.MOV"):
        (folder / name).write_bytes(clip)
    (folder / "talks" / "keynote.srt").write_text(SRT.format("inside"))
    (folder / "notes.txt").write_text("no video")
    return folder


@pytest.fixture
def private(tmp_path, clip):
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / "a clip.mp4").write_bytes(clip + b"outside")
    (folder / "keynote.srt").write_text(SRT.format("outside"))
    return folder


def content(video):
    assert isinstance(video, LocalVideo)
    with video:
        return video.path.read_bytes()


def test_a_file_has_many_names_and_one_in_reports(videos, clip, monkeypatch):
    allowed = AllowedFolders([videos])
    monkeypatch.setenv("HOME", str(videos.parent))
    for spelled in (
        "talks/keynote.mp4",
        "./talks/../talks/keynote.mp4",
        "videos/talks/keynote.mp4",
        f"{videos}/talks/keynote.mp4",
        f"{videos}/../videos/talks/keynote.mp4",
        "~/videos/talks/keynote.mp4",
        f"file://{videos}/talks/keynote.mp4",
        f"FILE://localhost{videos}/talks/key%6eote.mp4",
        "videos:///videos/talks/keynote.mp4",
    ):
        opened = allowed.opened(spelled)
        assert opened.uri == "talks/keynote.mp4"
        assert opened.path.name == "keynote.mp4"
        assert [line.text for line in opened.subtitles] == ["inside"]
        assert content(opened) == clip


def test_several_folders_are_told_apart_by_their_names(tmp_path, clip):
    folders = [tmp_path / "old" / "videos", tmp_path / "new" / "videos"]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "a.mp4").write_bytes(clip + bytes([number]))
    allowed = AllowedFolders(folders)
    assert [each.name for each in allowed.listed().videos] == ["videos-2/a.mp4", "videos/a.mp4"]
    for name, last in {"videos/a.mp4": 0, "videos-2/a.mp4": 1, "a.mp4": 0}.items():
        assert content(allowed.opened(name))[-1] == last


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/a.mp4",
        "youtu.be/dQw4w9WgXcQ",
        "synthetic://number",
        "data:video/mp4;base64,AAAA",
        "x" * 10_000_000,
        "",
    ],
)
def test_what_names_no_file_is_left_to_the_sources(videos, address):
    assert AllowedFolders([videos]).opened(address) == address


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("../private/a clip.mp4", ForbiddenAddressError, "outside of what may be opened"),
        ("/etc/passwd", ForbiddenAddressError, "outside of what may be opened"),
        ("file:///etc/passwd", ForbiddenAddressError, "outside of what may be opened"),
        ("~/secret.mp4", ForbiddenAddressError, "outside of what may be opened"),
        ("file://nas/a.mp4", SourceError, "names the host 'nas'"),
        ("keynote.mp4", SourceError, "did you mean 'talks/keynote.mp4'?"),
        ("talks/keynot.mp4", SourceError, "did you mean 'talks/keynote.mp4'?"),
        ("C:\\Users\\me\\keynote.mp4", SourceError, "did you mean 'talks/keynote.mp4'?"),
        ("nul\0.mp4", SourceError, "there is no video"),
        ("x" * 5000, SourceError, "there is no video"),
        ("talks", SourceError, "is not a regular file"),
        ("videos:///videos/../../etc/passwd", ForbiddenAddressError, "outside"),
    ],
)
def test_what_may_not_be_opened_is_one_line(videos, private, name, error, words):
    with pytest.raises(error) as raised:
        AllowedFolders([videos]).opened(name)
    line = str(raised.value)
    assert words in line
    assert "\n" not in line
    assert len(line) < 600


@walks
def test_links_are_neither_followed_nor_listed(videos, private):
    (videos / "file.mp4").symlink_to(private / "a clip.mp4")
    (videos / "folder").symlink_to(private)
    (videos / "inside.mp4").symlink_to(videos / "a clip.mp4")
    allowed = AllowedFolders([videos])
    for name in ("file.mp4", "folder/a clip.mp4", "inside.mp4", "file.mp4#t=0"):
        with pytest.raises(ForbiddenAddressError, match="is a link or lies behind one"):
            allowed.opened(name)
    listed = [each.name for each in allowed.listed().videos]
    assert listed == ["a clip.mp4", "talks/Grüße.MOV", "talks/keynote.mp4"]


@walks
def test_subtitles_behind_a_link_are_left_out(videos, private):
    (videos / "talks" / "keynote.srt").unlink()
    (videos / "talks" / "keynote.srt").symlink_to(private / "keynote.srt")
    with AllowedFolders([videos]).opened("talks/keynote.mp4") as opened:
        assert opened.subtitles == ()
        assert "is a link" in opened.warnings[0]


def test_a_pipe_or_a_socket_is_refused_at_once(videos):
    os.mkfifo(videos / "pipe.mp4")
    os.mkfifo(videos / "a clip.srt")
    allowed = AllowedFolders([videos])
    with pytest.raises(SourceError, match="not a regular file"):
        allowed.opened("pipe.mp4")
    with allowed.opened("a clip.mp4") as opened:
        assert opened.subtitles == ()


def until(done, work):
    """Does some work again and again in another thread until `done` returns."""
    stop = threading.Event()

    def run():
        while not stop.is_set():
            work()

    thread, interval = threading.Thread(target=run), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        return done()
    finally:
        stop.set()
        thread.join(timeout=60)
        sys.setswitchinterval(interval)


def replaced(path, make):
    """Puts what `make` makes in the place of a path, in one step."""
    beside = path.with_name(f"{path.name}.new")
    make(beside)
    beside.replace(path)


def all_opened(allowed, name, times=1000):
    """Returns the contents and the subtitles of a file that is opened many times."""
    contents, texts, errors = set(), set(), set()
    for _ in range(times):
        try:
            with allowed.opened(name) as video:
                contents.add(video.path.read_bytes())
                texts |= {line.text for line in video.subtitles}
        except FramesiftError as error:
            errors.add(type(error))
    return contents, texts, errors


@linux
def test_a_file_that_is_swapped_for_a_link_or_a_pipe_is_never_read(videos, private, clip):
    path, outside = videos / "a clip.mp4", private / "a clip.mp4"

    def swap():
        replaced(path, lambda new: new.symlink_to(outside))
        replaced(path, lambda new: new.write_bytes(clip))
        replaced(path, os.mkfifo)
        replaced(path, lambda new: new.write_bytes(clip))

    allowed = AllowedFolders([videos])
    contents, _, errors = until(lambda: all_opened(allowed, "a clip.mp4"), swap)
    assert contents == {clip}
    assert errors <= {ForbiddenAddressError, SourceError}


@linux
def test_subtitles_that_are_swapped_are_never_those_of_outside(videos, private):
    path = videos / "talks" / "keynote.srt"

    def swap():
        replaced(path, lambda new: new.symlink_to(private / "keynote.srt"))
        replaced(path, os.mkfifo)
        replaced(path, lambda new: new.write_text(SRT.format("inside")))

    allowed = AllowedFolders([videos])
    _, texts, _ = until(lambda: all_opened(allowed, "talks/keynote.mp4"), swap)
    assert texts <= {"inside"}


@linux
@pytest.mark.parametrize("swapped", ["talks", "."])
def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(videos, private, clip, swapped):
    (private / "keynote.mp4").write_bytes(clip + b"outside")
    (private / "talks").mkdir()
    (private / "talks" / "keynote.mp4").write_bytes(clip + b"outside")
    folder = (videos / swapped).resolve()
    away = folder.with_name("away")
    allowed = AllowedFolders([videos])

    def swap():
        folder.rename(away)
        folder.symlink_to(private)
        folder.unlink()
        away.rename(folder)

    contents, texts, errors = until(lambda: all_opened(allowed, "talks/keynote.mp4"), swap)
    assert contents <= {clip}
    assert texts <= {"inside"}
    assert errors <= {ForbiddenAddressError, SourceError}


@linux
def test_an_opened_file_stays_what_it_was_and_leaves_nothing(videos, private, clip):
    before = set(Path("/proc/self/fd").iterdir())
    opened = AllowedFolders([videos]).opened("a clip.mp4")
    (videos / "a clip.mp4").unlink()
    (videos / "a clip.mp4").symlink_to(private / "a clip.mp4")
    assert opened.path.read_bytes() == clip
    folder = opened.temporary_folder
    opened.close()
    opened.close()
    assert not folder.exists()
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_a_list_comes_in_pages_and_can_be_searched(videos, clip):
    for number in range(25):
        (videos / f"{number:02}.mp4").write_bytes(clip)
    allowed, names, after = AllowedFolders([videos]), [], ""
    while after is not None:
        page = allowed.listed(after=after, most=10)
        assert page.total == 28
        names += [each.name for each in page.videos]
        after = page.next_after
    assert names == sorted({*names})
    assert len(names) == 28
    [found] = allowed.listed(matching="key TALKS").videos
    assert (found.name, found.size_bytes) == ("talks/keynote.mp4", len(clip))
    assert allowed.listed(matching="nothing").videos == ()


@linux
@pytest.mark.parametrize(
    "name", [b"\xff\xfe.mp4", b"tab\tand\nline.mp4", b"a#t=3", b"50%25 #1.mp4"]
)
def test_any_name_that_is_listed_can_be_opened(tmp_path, clip, name):
    name = name if name.endswith(b".mp4") else name + b".mp4#t=1.mp4"
    (tmp_path / os.fsdecode(name)).write_bytes(clip)
    allowed = AllowedFolders([tmp_path])
    [listed] = allowed.listed().videos
    for address in (listed.name, listed.uri):
        assert address.isprintable()
        address.encode()
        assert content(allowed.opened(address)) == clip


@linux
def test_pages_go_on_after_names_that_are_no_text(tmp_path, clip):
    for number in range(6):
        (tmp_path / os.fsdecode(b"%d\xff.mp4" % number)).write_bytes(clip)
    allowed, seen, after = AllowedFolders([tmp_path]), [], ""
    while after is not None:
        page = allowed.listed(after=after, most=2)
        seen += [each.uri for each in page.videos]
        after = page.next_after
    assert len(seen) == len(set(seen)) == 6


def test_accents_may_be_encoded_in_either_way(videos, clip):
    decomposed = "talks/Gru\u0308ße.MOV"
    assert content(AllowedFolders([videos]).opened(decomposed)) == clip


def test_roots_narrow_what_may_be_opened(videos, tmp_path):
    allowed = AllowedFolders([videos]).within([f"file://{videos}/talks"])
    assert [each.name for each in allowed.listed().videos] == [
        "talks/Grüße.MOV",
        "talks/keynote.mp4",
    ]
    allowed.opened("talks/keynote.mp4").close()
    with pytest.raises(ForbiddenAddressError, match="outside of the roots of this client"):
        allowed.opened("a clip.mp4")
    for roots in (None, []):
        AllowedFolders([videos]).within(roots).opened("a clip.mp4").close()
    for elsewhere in (f"file://{tmp_path}/other", "https://example.org/", "file://nas/videos"):
        with pytest.raises(ForbiddenAddressError):
            AllowedFolders([videos]).within([elsewhere]).opened("a clip.mp4")
    with pytest.raises(ForbiddenAddressError, match="outside of what may be opened"):
        AllowedFolders([videos]).within(["file:///"]).opened("/etc/passwd")


def test_a_folder_that_is_missing_is_said(tmp_path):
    allowed = AllowedFolders([tmp_path / "Vidoes"])
    assert "Vidoes" in allowed.missing[0]
    assert "'Vidoes' cannot be listed" in allowed.listed().warnings[0]
    with pytest.raises(SourceError, match="there is no video"):
        allowed.opened("a.mp4")


def test_a_folder_may_be_given_by_a_link_and_named_by_it(videos, tmp_path, clip):
    link = Path(tmp_path / "shelf")
    link.symlink_to(videos)
    allowed = AllowedFolders([link])
    for name in (f"{link}/a clip.mp4", f"{videos}/a clip.mp4", "a clip.mp4"):
        assert content(allowed.opened(name)) == clip


@pytest.mark.slow
def test_a_hundred_thousand_files_are_listed_in_pages(tmp_path):
    for number in range(100_000):
        (tmp_path / f"{number:06}.mp4").touch()
    page = AllowedFolders([tmp_path]).listed(most=100)
    assert (len(page.videos), page.total) == (100, 100_000)
    assert page.next_after == page.videos[-1].name
