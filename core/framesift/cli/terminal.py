"""What goes to the terminal: lines in which nobody else's control characters are left."""

from __future__ import annotations

import click

from framesift.types.text import printable


def echo(text: str, *, nl: bool = True, err: bool = False) -> None:
    """Prints lines of our own making, in which texts of others stand; line feeds stay."""
    click.echo(printable(text, several_lines=True), nl=nl, err=err)


def line(text: str, *, err: bool = False) -> None:
    """Prints one line, whatever it holds."""
    click.echo(printable(text), err=err)
