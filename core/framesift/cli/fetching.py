"""The options that say what is fetched, and the command that lists what could be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

import framesift
from framesift.cli import output, terminal
from framesift.cli.parameters import GivenPath, Option, number, with_options
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.types.clock import clock
from framesift.types.options import Amount, Count

FETCH_OPTIONS: Final[list[Option]] = [
    number("--max-bytes", allows=Amount, default=FetchLimits().max_bytes, help="Largest download"),
    number(
        "--max-pixels",
        allows=Count,
        default=FetchLimits().max_pixels,
        help="Largest picture of a video",
    ),
    click.option("--allow-private", is_flag=True, help="Fetch from private addresses too."),
    click.option(
        "--language",
        default="en",
        help="Languages of a page's subtitles, the preferred one first, such as 'de,en'.",
    ),
    number(
        "--max-height",
        allows=Count,
        default=SiteOptions().max_height_px,
        help="Largest height of the picture that is downloaded from a page",
    ),
    click.option(
        "--cookies-file",
        type=GivenPath(path_type=Path, dir_okay=False),
        help="Cookies in Netscape's format, for private pages.",
    ),
    click.option(
        "--cookies-from-browser",
        metavar="BROWSER[+KEYRING][:PROFILE][::CONTAINER]",
        help="Browser whose cookies open private pages.",
    ),
]


def fetching(given: dict[str, Any]) -> tuple[FetchLimits, SiteOptions]:
    """Returns what `FETCH_OPTIONS` say, and takes them out of what a command was given."""
    limits = FetchLimits(
        **{name: given.pop(name) for name in ("max_bytes", "max_pixels", "allow_private")}
    )
    site = SiteOptions(
        max_height_px=given.pop("max_height"),
        **{name: given.pop(name) for name in ("language", "cookies_file", "cookies_from_browser")},
    )
    return limits, site


def _videos(places: tuple[str, ...], most: int, as_json: bool, **given: Any) -> None:
    """List the videos of folders, playlists and channels, and what stands in the way of some.

    PLACE is a folder, a file, or a link to a playlist, a channel or a video.
    """
    limits, site = fetching(given)
    found = framesift.list_videos(places, limits, site=site, most=most)
    if as_json:
        videos = [
            {
                "uri": video.uri,
                "title": video.title,
                "duration_seconds": video.duration_seconds,
                "problem": video.problem,
            }
            for video in found
        ]
        output.show_json({"videos": videos, "warnings": list(found.warnings)})
        return
    for video in found:
        length = "" if video.duration_seconds is None else clock(video.duration_seconds)
        told = video.title if video.problem is None else f"left out: {video.problem}"
        terminal.line(f"{length:>8}  {video.uri}" + (f"  {told}" if told else ""))
    for line in found.warnings:
        output.show_warning(line)


videos: Final = click.command("videos")(
    with_options(
        _videos,
        [
            click.argument("places", metavar="PLACE...", nargs=-1, required=True),
            number("--most", allows=Count, default=100, help="Most videos listed"),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object only."),
            *FETCH_OPTIONS,
        ],
    )
)
