"""What was read in a video, as an agent is shown it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from framesift.types.clock import clock, cut, span
from framesift.types.text import printable
from framesift.types.transcript import Transcript
from framesift.types.video import TimedText

MOST_LETTERS: Final = 12_000
"""Longest text of one call; a longer one is read on from where it ends."""
AGENTS_READ: Final = ("subtitles", "screen")
"""What reads a video for an agent that names no reader."""
MOST_STRETCHES: Final = 3
"""Most stretches of a line that are named."""


def shown_transcript(transcript: Transcript) -> tuple[str, Transcript]:
    """Returns a transcript in lines with times, and the part of it that these are.

    Where it is too long, the last line says from when on to read the rest.
    """
    every = transcript.lines
    texts = list(_within(every))
    part = transcript.model_copy(update={"lines": every[: len(texts)]})
    if not every:
        readers = ", ".join(reading.reader for reading in transcript.readings) or "no reader"
        texts = [f"No text was found by {readers}."]
    elif left := len(every) - len(texts):
        start = every[len(texts)].start_seconds
        texts.append(
            f"{left} more line{'s' if left > 1 else ''} from {clock(start)} on; read them with "
            f"#t={cut(start, 2):.10g} at the end of the video"
        )
    return "\n".join(texts), part


def line_text(line: TimedText) -> str:
    """Returns a line as `"2.0-5.5 s, screen: text"`, on one line whatever its text holds."""
    stretches = [(line.start_seconds, line.end_seconds), *line.again_seconds]
    times = ", ".join(span(*stretch) for stretch in stretches[:MOST_STRETCHES])
    who = line.source if line.speaker is None else f"{line.source}, {line.speaker}"
    return printable(" ".join(f"{times}, {who}: {line.text}".split()))


def _within(lines: Sequence[TimedText]) -> Iterator[str]:
    """Yields the first lines that fit, at least one, which is cut where it is longer."""
    letters = 0
    for place, line in enumerate(lines):
        text = line_text(line)
        letters += len(text) + 1
        if letters > MOST_LETTERS and place:
            return
        yield text[:MOST_LETTERS]
