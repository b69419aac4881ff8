"""What an operator runs beside the server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from framesift.errors import FramesiftError
from framesift_server.settings import Settings


def usage(arguments: Sequence[str]) -> None:
    """Writes the usage of all clients as CSV to the terminal.

    Args:
        arguments: after the name of the command.
    """
    parser = argparse.ArgumentParser(
        prog="framesift-server usage", description="What each client has used, by hour, as CSV."
    )
    parser.add_argument("--client", help="this one alone")
    parser.add_argument("--since", default="", help="first month, day or hour: 2026-11, 2026-11-27")
    parser.add_argument("--until", default="~", help="the month, day or hour after the last one")
    parser.add_argument("--state-folder", type=Path, help="as the server's")
    parser.add_argument("--database", help="as the server's")
    given = parser.parse_args(arguments)
    where = {name: getattr(given, name) for name in ("state_folder", "database")}
    settings = Settings(**{name: value for name, value in where.items() if value is not None})
    from framesift_server.database import connect
    from framesift_server.usage import usage_csv, usage_rows

    if settings.database is None and not (settings.state_folder / "framesift.sqlite").exists():
        raise SystemExit(
            f"framesift-server usage: no server has kept its state in "
            f"{str(settings.state_folder)!r}; give its --state-folder, or its --database"
        )
    try:
        engine = connect(settings)
        rows = usage_rows(engine, client=given.client, since=given.since, until=given.until)
        engine.dispose()
    except FramesiftError as error:
        raise SystemExit(f"framesift-server usage: {error}") from None
    sys.stdout.write(usage_csv(rows))
