"""`framesift serve` and `framesift gateway`, whose server is a distribution of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import click

from framesift.errors import MissingDependencyError


def _passed_on(function: Callable[[tuple[str, ...]], None]) -> click.Command:
    """Returns the command whose arguments are the server's to read, `--help` among them."""
    unread = {"ignore_unknown_options": True, "help_option_names": []}
    arguments = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    return click.command(context_settings=unread, add_help_option=False)(arguments(function))


@_passed_on
def serve(arguments: tuple[str, ...]) -> None:
    """Serve compression, keyframes and answers over HTTP."""
    _server().main(arguments)


@_passed_on
def gateway(arguments: tuple[str, ...]) -> None:
    """Serve in front of vLLM, SGLang, Ollama or a hosted API."""
    _server().main(("gateway", *arguments))


def _server() -> Any:
    try:
        return importlib.import_module("framesift_server")
    except ModuleNotFoundError as error:
        if error.name != "framesift_server":
            raise
        raise MissingDependencyError(
            "'framesift_server' is not installed; run: pip install framesift-server"
        ) from error
