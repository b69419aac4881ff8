"""`framesift report`: the page about one video, and the contact sheet beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

import framesift
from framesift.cli import options, output
from framesift.cli.parameters import number
from framesift.types.options import NotNegative
from framesift.types.video import Warn


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
@options.with_strategies
def report(
    sift: framesift.VideoCompressor,
    others: list[framesift.VideoCompressor],
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
    frames, both show the scores over time, with the frames picked. Of several strategies the page
    shows one at a time; the sheet is about the first.
    """
    from framesift.report.clip import Clip
    from framesift.report.contact_sheet import write_contact_sheet
    from framesift.report.environment import FRAME_PX
    from framesift.report.figures import picked_frames, shown_seconds
    from framesift.report.page import frames_of_each, write_report

    sheet = _sheet_beside(out)
    notes: list[str] = []
    limit = frames_of_each(1 + len(others))
    with framesift.open_video(uri, sift.limits, site=sift.site) as local:
        _refuse_its_own(local, out, sheet)
        video, *beside = _compressed([sift, *others], local, question, notes.append)
        chosen = sift.select(local, count, question, warn=notes.append)
        frames = picked_frames(chosen, sift.frames(local, chosen.picked_seconds))
        times = {frame.pts_seconds for frame in frames}
        for each in (video, *beside):
            times |= {*shown_seconds(each, chosen.picked_seconds, limit=limit)}
        pictures = sift.frames(local, sorted(times), max_side_px=FRAME_PX, warn=notes.append)
        read = sift.transcript(local, warn=notes.append)
        clip = None
        if not video.report.picture:
            length, most_bytes = video.report.duration_seconds, int(embed_mb * 2**20)
            clip = Clip.of(local, out, length_seconds=length, most_bytes=most_bytes)
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
        clip=clip,
        title=local.title,
        others=beside,
    )
    reports = [each.report for each in beside]
    output.show_report(video.report, [out, sheet], others=reports, as_json=as_json)


def _sheet_beside(out: Path) -> Path:
    """Returns where the contact sheet goes, which must not be the page's own place."""
    sheet = out.with_suffix(".png")
    if sheet.name.lower() == out.name.lower():
        raise click.UsageError(
            f"--out {str(out)!r} is the name of the contact sheet beside the page; give the page "
            f"another, such as {out.with_suffix('.html').name}"
        )
    return sheet


def _refuse_its_own(local: framesift.LocalVideo, out: Path, sheet: Path) -> None:
    """Refuses a page or a contact sheet that would take the place of what it is about."""
    for place in (out, sheet):
        if local.path is not None and place.exists() and place.samefile(local.path):
            raise click.UsageError(
                f"--out {str(out)!r} would write the {'page' if place == out else 'contact sheet'} "
                f"over {place.name!r}, which it is about; give the page another name or folder"
            )


def _compressed(
    sifts: Sequence[framesift.VideoCompressor],
    local: framesift.LocalVideo,
    question: str | None,
    warn: Warn,
) -> list[framesift.CompressedVideo]:
    """Returns what each strategy keeps of a video, which is encoded once for all of them."""
    from framesift.compression.text_places import TEXT

    first, *others = sifts
    if not others:
        return [first.compress(local, question, warn=warn)]
    parts = [framesift.create_strategy(sift.strategy) for sift in sifts]
    reads_text = [TEXT in part.required_signals for part in parts]
    reader = sifts[reads_text.index(True)] if any(reads_text) else first
    encoded = reader.encode(local, question, warn=warn)
    video = first.reduce(encoded, question, warn=warn)
    # What goes wrong with another strategy stands in its own report.
    return [video, *(sift.reduce(encoded, question, warn=lambda _: None) for sift in others)]
