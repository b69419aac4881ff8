"""`framesift report`: the page about one video, and the contact sheet beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

import framesift
from framesift.cli import options, output
from framesift.cli.parameters import number
from framesift.types.options import NotNegative


@click.command()
@options.uri
@click.option(
    "-o",
    "--out",
    type=options.GivenPath(path_type=Path, dir_okay=False),
    default="framesift-report.html",
    help="Page.",
)
@number(
    "--embed-mb",
    allows=NotNegative,
    default=8.0,
    help="Largest clip that stands in the page itself, in MB; a larger file is linked",
)
@options.count
@options.question
@options.as_json
@options.with_token_options
def report(
    sift: framesift.VideoCompressor,
    uri: str,
    out: Path,
    count: int,
    question: str | None,
    as_json: bool,
    embed_mb: float,
) -> None:
    """Show what is kept: one self-contained HTML page, and a PNG contact sheet beside it.

    Times on the page play the clip, which stands in it where it is small, and frames enlarge. The
    page has the text that --text reads, with a box that searches it. Where the selector scores all
    frames, both show the scores over time, with the frames picked.
    """
    from framesift.report.clip import Clip
    from framesift.report.contact_sheet import write_contact_sheet
    from framesift.report.environment import FRAME_PX
    from framesift.report.figures import picked_frames, shown_seconds
    from framesift.report.page import MOST_FRAMES, write_report

    sheet = out.with_suffix(".png")
    if sheet.name.lower() == out.name.lower():
        raise click.UsageError(
            f"--out {str(out)!r} is the name of the contact sheet beside the page; give the page "
            f"another, such as {out.with_suffix('.html').name}"
        )
    notes: list[str] = []
    with framesift.open_video(uri, sift.limits, site=sift.site) as local:
        video = sift.compress(local, question, warn=notes.append)
        chosen = sift.select(local, count, question, warn=notes.append)
        frames = picked_frames(chosen, sift.frames(local, chosen.picked_seconds))
        shown = shown_seconds(video, chosen.picked_seconds, limit=MOST_FRAMES)
        times = sorted({*shown, *(frame.pts_seconds for frame in frames)})
        pictures = sift.frames(local, times, max_side_px=FRAME_PX, warn=notes.append)
        read = sift.transcript(local, warn=notes.append)
        clip = Clip.of(local, out, most_bytes=int(embed_mb * 2**20))
    noted = video.report.model_copy(update={"warnings": list(dict.fromkeys(notes))})
    video = replace(video, report=noted)
    write_contact_sheet(sheet, video=video, frames=pictures, keyframes=frames, selection=chosen)
    write_report(
        out,
        video=video,
        frames=pictures,
        keyframes=frames,
        selection=chosen,
        transcript=read,
        clip=None if video.report.picture else clip,
        title=local.title,
    )
    output.show_report(video.report, [out, sheet], as_json=as_json)
