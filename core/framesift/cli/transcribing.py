"""The command that writes down what is said and shown in a video."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import click

import framesift
from framesift.cli import options, output, terminal
from framesift.export.transcripts import (
    TranscriptFormat,
    format_of,
    save_transcript,
    transcript_text,
)


@click.command("text")
@options.uri
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(TranscriptFormat)),
    show_default="what the ending of --out says, else markdown",
    help="What the text is written as.",
)
@click.option(
    "-o",
    "--out",
    type=options.GivenPath(path_type=Path, dir_okay=False),
    help="File to write to; the terminal without it.",
)
@options.with_frame_options
def text(
    sift: framesift.VideoCompressor, uri: str, form: TranscriptFormat | None, out: Path | None
) -> None:
    """Write down the text of a video with its times: what is said, and what its readers read.

    --text speech hears what is said, by a Whisper; --text screen reads what stands in the pictures.
    Both may be given; subtitles beside the video are read where neither is.
    """
    chosen = form or (format_of(out) if out else "markdown")
    transcript = sift.transcript(uri, warn=output.show_warning)
    if out is not None:
        terminal.line(f"wrote     {save_transcript(transcript, out, chosen)}")
    else:
        _print(transcript_text(transcript, chosen))
    if not transcript.lines:
        readers = ", ".join(reading.reader for reading in transcript.readings) or "no reader"
        output.show_warning(
            f"no text was found by {readers}; see `framesift readers` for what else reads a video"
        )


def _print(content: str) -> None:
    """Prints a file's content: to a terminal without control characters, else as it is."""
    if sys.stdout.isatty():
        terminal.echo(content, nl=False)
    else:
        click.echo(content.encode("utf-8"), nl=False)
