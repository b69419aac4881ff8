"""The one place where what a reading library raises becomes an error of framesift."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framesift.errors import CorruptVideoError, FramesiftError, SourceError, VideoTooLargeError


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Gives a block in which whatever goes wrong with the bytes of `path` is one line.

    Raises:
        CorruptVideoError: a library failed on the content of the file.
        SourceError: the system does not let the file be read.
        VideoTooLargeError: there is not enough memory for its pictures.
    """
    try:
        yield
    except (FramesiftError, AssertionError):  # the latter is a fault of our own
        raise
    except MemoryError as error:
        raise VideoTooLargeError(
            f"{path.name!r} needs more memory than there is; give a video of fewer pixels"
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None and not _is_libav(error):
            raise SourceError(
                f"{path.name!r} cannot be read: {error.strerror}; check that it is still there"
            ) from error
        reason = " ".join(str(error).split())[:200] or "no reason given"
        raise CorruptVideoError(
            f"{path.name!r} cannot be read as video: {type(error).__name__}: {reason}; "
            "give an undamaged file, or convert it to MP4"
        ) from error


def check_pixels(name: str, width_px: int, height_px: int, max_pixels: int) -> None:
    """Refuses a file called `name` whose pictures are too large.

    Raises:
        VideoTooLargeError: they have more pixels than `max_pixels`.
    """
    if width_px * height_px > max_pixels:
        raise VideoTooLargeError(
            f"{name!r} announces pictures of {width_px} x {height_px} pixels, allowed are "
            f"{max_pixels} in all; scale it down, or raise max_pixels",
            to_caller=f"{name!r} announces pictures of {width_px} x {height_px} pixels, allowed "
            f"are {max_pixels} in all; give a video of smaller pictures",
        )


def _is_libav(error: Exception) -> bool:
    from av.error import FFmpegError

    return isinstance(error, FFmpegError)
