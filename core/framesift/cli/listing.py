"""The commands that list parts: each prints the names, what they do, and their options."""

from __future__ import annotations

from typing import Final

import click

from framesift.cli import options, output

_SUMMARIES: Final = {
    "strategies": "List the strategies, with what they need and their options.",
    "selectors": "List the frame selectors and their options; see `framesift scorers` for what "
    "some take.",
    "scorers": "List what tells a selector how much each frame is worth, written "
    "'nms:scorer=NAME'.",
    "readers": "List what reads the text of videos, and its options.",
    "encoders": "List the encoders, with the signals they give and their options.",
    "vlms": "List the families of vision LLMs and their options.",
}


def _listing(plural: str, summary: str) -> click.Command:
    @click.command(plural, help=summary)
    @options.as_json
    def listing(as_json: bool) -> None:
        output.show_parts(plural, as_json=as_json)

    return listing


LISTINGS: Final = [_listing(plural, summary) for plural, summary in _SUMMARIES.items()]
