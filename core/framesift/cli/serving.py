"""`framesift serve`: the HTTP server, which is a distribution of its own."""

from __future__ import annotations

import importlib

import click

from framesift.errors import MissingDependencyError


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Serve compression, keyframes and answers over HTTP."""
    try:
        server = importlib.import_module("framesift_server")
    except ModuleNotFoundError as error:
        if error.name != "framesift_server":
            raise
        raise MissingDependencyError(
            "'framesift_server' is not installed; run: pip install framesift-server"
        ) from error
    server.main(arguments)
