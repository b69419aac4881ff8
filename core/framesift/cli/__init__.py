"""The `framesift` command: bad input ends in one line on stderr and exit code 2."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and exits with its code.

    It is 0, 2 for bad input, 130 when interrupted, and 143 when told to end by SIGTERM.
    """
    from framesift.cli.streams import open_streams
    from framesift.serving.termination import Terminated, unwound_by_sigterm

    open_streams()
    with unwound_by_sigterm():
        try:
            code = _run()
        except Terminated:
            sys.stderr.write("framesift: terminated\n")
            raise
        sys.exit(code)


def _run() -> int | None:
    """Returns the exit code of the command that the arguments name."""
    import click

    from framesift.cli.commands import app
    from framesift.errors import FramesiftError

    try:
        code: int | None = app(standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        click.echo("framesift: interrupted", err=True)
        code = 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 2
    except click.ClickException as error:
        code = _complain(error.format_message())
    except (FramesiftError, OSError) as error:
        code = _complain(str(error))
    return code


def _complain(reason: str) -> int:
    from framesift.cli import terminal

    terminal.line(f"framesift: {' '.join(reason.split())}", err=True)
    return 2
