"""`framesift play`: the page that shows what is kept of a video."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from framesift.cli import terminal
from framesift.cli.parameters import names_of
from framesift.sources.link_times import split_part


@click.command()
@click.argument("video", required=False)
@click.option(
    "--vlm",
    default="tiny",
    shell_complete=names_of("vlms"),
    help="Vision LLM that makes the tokens and answers.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7860, help="Port of this machine; 0 for any."
)
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser.")
def play(video: str | None, vlm: str, port: int, browser: bool) -> None:
    """Try strategies on a video in the browser: a page of this machine alone.

    VIDEO is a file or a link that stands there at first, or a part of it such as talk.mp4#t=60,90;
    others are dropped or pasted.
    """
    from framesift.playground.server import application, listening, serve
    from framesift.playground.terms import HOST, Terms

    terms = Terms.local(vlm, video, is_file=video is not None and _is_file(video))
    with application(terms) as app, listening(port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        terminal.line(f"play      {address}  (Ctrl+C ends it)")
        if browser:
            webbrowser.open(address)
        serve(app, listener)


def _is_file(video: str) -> bool:
    """Returns whether a text names a file of this machine, or a part of one."""
    return Path(video).is_file() or Path(split_part(video)[0]).is_file()
