"""Transcripts as files: JSON, the subtitles of SubRip and WebVTT, and Markdown for people.

Text of strangers stays text: what a format would take for a mark of its own is written so that it
reads back as the letters that it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, get_args

from pysubs2 import SSAEvent, SSAFile

from framesift.disk.writing import as_path, write_atomically
from framesift.errors import InvalidOptionError
from framesift.types.clock import clock
from framesift.types.options import shown
from framesift.types.text import whole_characters
from framesift.types.transcript import Transcript
from framesift.types.video import TimedText

TranscriptFormat = Literal["json", "srt", "vtt", "markdown"]
"""What a transcript can be written as."""
ENDINGS: Final[dict[str, TranscriptFormat]] = {
    ".json": "json",
    ".srt": "srt",
    ".vtt": "vtt",
    ".md": "markdown",
    ".markdown": "markdown",
}
"""Formats by the ending of a file's name."""

_BACKSLASH: Final = "\ue001"
"""Stands for a backslash, which pysubs2 reads as a line break before `N`; for private use."""
_MARKED: Final = re.compile(
    r"<(?=[/a-zA-Z0-9])|&(?=[#a-zA-Z])|\{(?=\\)|\\(?=N)|(?<=--)>|(?<=^Dialogue):|[\ue000\ue001]"
)
"""What SubRip, which has no escapes of its own, may take for a tag, an entity or the next cue; then
how lines of ASS begin, and what readers of subtitles set in the place of other letters."""
_ESCAPED: Final = re.compile(r"[<>&]|\\(?=N)|(?<=^Dialogue):|[\ue000\ue001]")
"""The same in WebVTT, which has escapes."""
_MARKDOWN: Final = re.compile(r"[\\`*_\[\]<>#|~$&!]")
"""Letters that begin something in Markdown, or in the HTML that may stand in it."""


def transcript_text(transcript: Transcript, form: TranscriptFormat) -> str:
    """Returns a transcript as the content of a file.

    JSON holds everything, and Markdown what a person reads. SubRip and WebVTT hold a cue for each
    stretch in which a line stands, also where it stands again.

    Raises:
        InvalidOptionError: there is no such format.
    """
    if form not in get_args(TranscriptFormat):
        known = ", ".join(get_args(TranscriptFormat))
        raise InvalidOptionError(f"format={shown(form)} must be one of {known}")
    if form == "json":
        return json.dumps(transcript.model_dump(mode="json"), indent=2) + "\n"
    if form == "markdown":
        return whole_characters("\n".join(_markdown(transcript)) + "\n")
    return whole_characters(_cues(transcript, form))


def save_transcript(
    transcript: Transcript,
    path: str | os.PathLike[str],
    form: TranscriptFormat | None = None,
) -> Path:
    """Returns `path`, where a transcript is written in UTF-8.

    Args:
        transcript: what was read.
        path: of the file.
        form: None for what the ending of the file's name says.

    Raises:
        InvalidOptionError: neither the ending nor `form` is one of `TranscriptFormat`.
        StorageError: the file cannot be written.
    """
    path = as_path(path)
    return write_atomically(
        path, transcript_text(transcript, form or format_of(path)).encode("utf-8")
    )


def format_of(path: Path) -> TranscriptFormat:
    """Returns the format that the ending of a file's name says.

    Raises:
        InvalidOptionError: it says none.
    """
    if (form := ENDINGS.get(path.suffix.lower())) is None:
        raise InvalidOptionError(
            f"{path.name!r} does not say what to write; end it in {', '.join(ENDINGS)}, or name "
            f"the format: {', '.join(get_args(TranscriptFormat))}"
        )
    return form


def _cues(transcript: Transcript, form: Literal["srt", "vtt"]) -> str:
    """Returns subtitles, a cue for each stretch of each line, in time order."""
    marked = _ESCAPED if form == "vtt" else _MARKED
    file, cues = SSAFile(), list[tuple[float, float, str]]()
    for line in transcript.lines:
        text = _with_entities(_one_line(line.text), marked)
        if text and line.speaker:
            name = _with_entities(_one_line(line.speaker), marked)
            text = f"<v {name}>{text}</v>" if form == "vtt" else f"{name}: {text}"
        cues += [(start, end, text) for start, end in line.stretches if text]
    for start, end, text in sorted(cues, key=lambda cue: cue[0]):
        milliseconds = round(start * 1000), round(end * 1000)
        file.append(
            SSAEvent(
                start=milliseconds[0],
                end=max(milliseconds),
                text=text.replace("\\", _BACKSLASH),
            )
        )
    written = file.to_string(form, keep_ssa_tags=True)
    return written.replace(_BACKSLASH, "\\")


def _with_entities(text: str, marked: re.Pattern[str]) -> str:
    """Returns text with an entity in the place of each letter that means something else."""
    return marked.sub(lambda match: f"&#{ord(match[0])};", text)


def _markdown(transcript: Transcript) -> Iterator[str]:
    """Yields the lines of a page: title, address and length, readers, then each line of text."""
    named = transcript.title or transcript.uri
    yield f"# {_plain(named)}"
    yield ""
    facts = [_plain(transcript.uri)] if transcript.title else []
    if transcript.duration_seconds is not None:
        facts.append(clock(transcript.duration_seconds, 1))
    readers = [_plain(reading.reader) for reading in transcript.readings]
    facts.append(f"read by {', '.join(readers) or 'nobody'}")
    yield ", ".join(facts)
    yield ""
    several = len({line.source for line in transcript.lines}) > 1
    for line in transcript.lines:
        yield _item(line, several)
    for warning in transcript.warnings:
        yield ""
        yield f"Warning: {_plain(warning)}"


def _item(line: TimedText, several: bool) -> str:
    """Returns a line of text with its times; with several readers, which one found it."""
    times, *again = (f"{clock(start, 1)}-{clock(end, 1)}" for start, end in line.stretches)
    notes = [_plain(line.source)] if several else []
    notes += [f"again {', '.join(again)}"] if again else []
    who = f"{_plain(line.speaker)}: " if line.speaker else ""
    note = f" ({'; '.join(notes)})" if notes else ""
    return f"- **{times}** {who}{_plain(line.text)}{note}"


def _plain(text: str) -> str:
    """Returns text as one line of Markdown that shows its letters."""
    return _MARKDOWN.sub(lambda match: f"\\{match[0]}", _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", "\ufffd").split())
