"""The commands: each makes one call of framesift and prints the result.

Help must come at once, so nothing that imports torch is imported before a command runs: it stands
in the command, or is a public name of framesift, which is loaded when it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import framesift
from framesift.cli import (
    batching,
    evaluating,
    labeling,
    options,
    output,
    playing,
    reporting,
    serving,
    training,
    transcribing,
)
from framesift.cli.fetching import videos
from framesift.cli.groups import Framesift
from framesift.cli.listing import LISTINGS


@click.group(
    cls=Framesift, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(framesift.__version__, message="%(version)s")
def app() -> None:
    """Keep the visual tokens and frames of a video that carry information.

    URI is a file, a link to a video or its page, or synthetic://NAME.
    """


@app.command()
@options.uri
@options.question
@options.folder
@options.as_json
@options.with_token_options
def compress(
    sift: framesift.VideoCompressor, uri: str, question: str | None, out: Path | None, as_json: bool
) -> None:
    """Keep exactly the budgeted visual tokens; write tokens, plan and report to a folder."""
    video = sift.compress(uri, question, warn=_listed)
    files = [] if out is None else video.save(out)
    output.show_report(video.report, files, as_json=as_json)


@app.command()
@options.uri
@options.count
@options.question
@options.folder
@options.as_json
@options.with_frame_options
def keyframes(
    sift: framesift.VideoCompressor,
    uri: str,
    count: int,
    question: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Pick exactly COUNT frames, by default those that cover the content; write them as JPEG.

    With --question and a selector that reads it, the frames that help to answer it:
    --selector auto, or --selector 'nms:scorer=text' for what is said.

    A folder holds the keyframes of one run: those of an earlier one are replaced.
    """
    from framesift.export.files import save_keyframes

    warnings: list[str] = []
    frames = sift.keyframes(uri, count, question, warn=warnings.append)
    files = [] if out is None else save_keyframes(frames, out)
    output.show_keyframes(uri, count, frames, warnings, files, as_json=as_json)


@app.command()
@options.uri
@click.option("-n", "--count", type=int, help="Number of segments; one per 15 s by default.")
@options.question
@options.as_json
@options.with_frame_options
def segments(
    sift: framesift.VideoCompressor,
    uri: str,
    count: int | None,
    question: str | None,
    as_json: bool,
) -> None:
    """Split the video into stretches with their text and the frame each one rests on."""
    warnings: list[str] = []
    result = sift.segments(uri, question, count=count, warn=warnings.append)
    output.show_segments(uri, result, warnings, as_json=as_json)


@app.command()
@options.uris
@click.argument("question")
@click.option("--stream", is_flag=True, help="Print the answer while it is being made.")
@options.as_json
@options.with_answer_options
def ask(
    sift: framesift.VideoCompressor,
    uris: list[str | framesift.CompressedVideo],
    question: str,
    evidence: framesift.EvidenceKind,
    generation: framesift.Generation,
    beside: dict[str, Any],
    stream: bool,
    as_json: bool,
) -> None:
    """Answer QUESTION about one or several videos or pictures, and say where the answer lies.

    What --text reads stands in the prompt beside the pictures, where a reader is named.

    A URI may be a folder that `compress --vlm MODEL --out` wrote: it is neither decoded nor encoded
    again, and the same model answers.
    """
    if stream and as_json:
        raise click.UsageError("--stream and --json exclude each other; leave one out")
    printed: list[str] = []

    def warn(line: str) -> None:
        printed.append(line)
        output.show_warning(line)

    answer = sift.ask(
        uris,
        question,
        generation=generation,
        evidence=evidence,
        on_text=output.show_piece if stream else None,
        **beside,
        warn=warn,
    )
    output.show_answer(answer, printed, several=len(uris) > 1, streamed=stream, as_json=as_json)


@app.command()
@options.uri
@click.argument("query")
@click.option("-n", "--count", type=click.IntRange(min=1), default=3, help="Most moments.")
@click.option(
    "--embedding", help="Text encoder that compares meanings, not words: a hub id or a folder."
)
@options.as_json
@options.with_search_options
def find(
    sift: framesift.VideoCompressor,
    uri: str | framesift.CompressedVideo,
    query: str,
    count: int,
    evidence: framesift.EvidenceKind,
    embedding: str | None,
    as_json: bool,
) -> None:
    """Find where in the video something is: QUERY is a question, or words for it.

    It looks at the text that --text reads first, and at the pictures where that has nothing.

    URI may be a folder of `compress --vlm MODEL --out`, as for `ask`.
    """
    notes: list[str] = []
    if isinstance(uri, framesift.CompressedVideo):
        # No picture is shown, so what the tokens were made of is opened for its text alone.
        by_text = options.names_readers() and evidence == "auto"
        found = (
            sift.find_text(uri, query, count, embedding=embedding, warn=notes.append)
            if by_text
            else []
        )
        result = [moment.segment for moment in found]
        if not result:
            with sift.open(uri, warn=notes.append) as chat:
                result = chat.find(query, count, evidence=evidence, warn=notes.append)
        notes = list(dict.fromkeys(notes))
        address = uri.report.uri
    else:
        with framesift.open_video(uri, sift.limits, site=sift.site) as local:
            moments = sift.find(
                local, query, count, evidence=evidence, embedding=embedding, warn=notes.append
            )
        result, address = [moment.segment for moment in moments], local.uri
    output.show_matches(address, query, result, notes, as_json=as_json)


def _listed(warning: str) -> None:
    """Leaves a warning to the result, which lists it, so that it is not printed twice."""


app.add_command(batching.batch)
app.add_command(evaluating.app)
app.add_command(videos)
app.add_command(labeling.label)
app.add_command(training.app, "train")
app.add_command(playing.play)
app.add_command(reporting.report)
app.add_command(serving.serve)
app.add_command(serving.gateway)
app.add_command(transcribing.text)
for listing in LISTINGS:
    app.add_command(listing)
