"""What readers found is kept on disk by content, and what was cut off goes on with the rest."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from framesift import LocalVideo, TimedText, VideoCompressor
from framesift.errors import InvalidOptionError, StorageError
from framesift.export.keyframe_folder import KeyframeShelf
from framesift.readers.base import Reader, Reading, created_readers
from framesift.run import on_progress, progress_bar
from framesift.testing.videos import write_video


@dataclass(frozen=True, kw_only=True)
class Numbers(Reader):
    """Says the number of each second."""

    summary: ClassVar[str] = "numbers of seconds"
    worked: ClassVar[list[int]] = []
    """Seconds that were worked on."""
    fps: float = 1.0

    def read(self, video):
        indices = video.sampled(self.fps)
        with progress_bar("read", total=len(indices)) as bar:
            for second in range(len(indices)):
                if video.pieces.get(f"{second}") is None:
                    self.worked.append(second)
                    video.pieces.add(f"{second}", [f"number {second}"])
                bar.update()
        video.run.warn("numbers are rough")
        lines = [
            TimedText(
                start_seconds=float(second),
                end_seconds=second + 1.0,
                text=video.pieces.get(f"{second}")[0],
                source="numbers",
                box=(0.0, 0.0, 0.5, 1.0),
                again_seconds=((9.0, 9.5),),
            )
            for second in range(len(indices))
        ]
        return Reading(lines=tuple(lines), frames_read=len(lines), frames_total=len(lines))


@pytest.fixture
def worked():
    Numbers.worked.clear()
    return Numbers.worked


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, 8, fps=2)


def sift(folder, **options):
    return VideoCompressor(text=("subtitles", Numbers(**options)), text_folder=folder)


def test_another_program_reads_what_was_kept_with_its_warnings(tmp_path, clip, worked):
    first = sift(tmp_path).transcript(clip)
    assert len(first.lines) == 4
    heard = []
    again = sift(str(tmp_path)).transcript(clip, warn=heard.append)
    assert again.lines == first.lines
    assert again.warnings == first.warnings == heard == ["numbers are rough"]
    assert again.readings[1].frames_read == first.readings[1].frames_read
    assert worked == [0, 1, 2, 3]
    assert [path.suffix for path in tmp_path.rglob("*.*")] == [".json"]


def test_other_options_and_other_parts_are_read_anew(tmp_path, clip, worked):
    sift(tmp_path).transcript(clip)
    assert len(sift(tmp_path, fps=0.5).transcript(clip).lines) == 2
    assert len(sift(tmp_path).transcript(f"{clip}#t=0,2").lines) == 2
    assert len(worked) == 8


def test_another_model_in_the_same_folder_reads_anew(tmp_path, clip, worked, monkeypatch):
    for state in ("one", "one", "other"):
        monkeypatch.setattr(Numbers, "state", state)
        assert len(sift(tmp_path).transcript(clip).lines) == 4
    assert len(worked) == 8


@pytest.mark.parametrize(("reader", "option"), [("screen", "models"), ("speech", "model")])
def test_what_is_written_to_the_folder_of_a_model_changes_its_state(tmp_path, reader, option):
    file = tmp_path / "rec.json"
    file.write_text("{}")
    made = created_readers(f"{reader}:{option}={tmp_path}")[0]
    before = made.state
    assert made.state == before
    file.write_text('{"another": 1}')
    assert made.state != before


def test_a_video_of_another_name_with_the_same_content_is_known(tmp_path, clip, worked):
    sift(tmp_path / "kept").transcript(clip)
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes())
    sift(tmp_path / "kept").transcript(LocalVideo(path=other, uri="https://example.org/v"))
    assert worked == [0, 1, 2, 3]


def test_work_that_was_cut_off_goes_on_with_the_rest(tmp_path, clip, worked):
    class CutOffError(Exception):
        pass

    def cut(progress):
        if progress.stage == "read" and progress.done == 2:
            raise CutOffError

    with pytest.raises(CutOffError), on_progress(cut):
        sift(tmp_path).transcript(clip)
    assert worked == [0, 1]
    assert [path.suffix for path in tmp_path.rglob("*.*")] == [".unfinished"]
    assert [line.text for line in sift(tmp_path).transcript(clip).lines][-1] == "number 3"
    assert worked == [0, 1, 2, 3]
    assert [path.suffix for path in tmp_path.rglob("*.*")] == [".json"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"reading": {"lines": [{"text": 1}]}}'])
def test_what_is_no_longer_whole_is_read_again(tmp_path, clip, worked, content):
    sift(tmp_path).transcript(clip)
    (kept,) = tmp_path.rglob("*.json")
    kept.write_bytes(content)
    assert len(sift(tmp_path).transcript(clip).lines) == 4
    assert len(worked) == 8


def test_the_keyframe_folder_keeps_the_text_too(tmp_path, clip, worked):
    for _ in range(2):
        shelf = KeyframeShelf(folder=tmp_path, compressor=VideoCompressor(text=Numbers()))
        (segments,) = tmp_path.rglob("segments.json") if worked else [tmp_path / "none"]
        segments.unlink(missing_ok=True)
        shelf.read(clip)
    assert worked == [0, 1, 2, 3]
    assert len(list(tmp_path.glob("*/*.json"))) == 1


def test_a_folder_that_is_none_is_one_line(tmp_path, clip, worked):
    with pytest.raises(InvalidOptionError, match="text_folder"):
        sift(3)
    with pytest.raises(InvalidOptionError, match="text_folder='' must be the path"):
        sift("")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        sift(tmp_path / "file").transcript(clip)
    assert worked == []
