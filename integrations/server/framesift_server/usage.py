"""What each client has used, hour by hour, in the database: what a hosted service bills by."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Engine, String, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from framesift_server.database import METADATA, reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What was used; whole numbers, so that sums are exact."""

    requests: int = 0
    """Pieces of work that were done, as an answer or as a job."""
    failed: int = 0
    """Pieces of work that were begun and failed, took too long, or were cancelled."""
    work_milliseconds: int = 0
    """Time in which a model or another worker was held, also by work that failed."""
    video_milliseconds: int = 0
    """Length of the videos, or of the parts of them, that were worked on."""
    tokens_in: int = 0
    """Visual tokens before compression."""
    tokens_out: int = 0
    """Visual tokens after it."""
    answer_tokens: int = 0
    """Tokens of answers."""
    uploads: int = 0
    upload_bytes: int = 0


COUNTS: Final = tuple(field.name for field in fields(Used))
USAGE: Final = Table(
    "usage",
    METADATA,
    Column("client", String(64), primary_key=True),
    # In UTC, such as 2026-11-27T08: sorts as it stands, and reads as it is.
    Column("hour", String(13), primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in COUNTS),
)


def hour_of(seconds: float) -> str:
    """Returns the hour of a time since the epoch, as the table has it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H")


def add_usage(connection: Connection, client: str, used: Used, now: float | None = None) -> None:
    """Adds to what a client has used in this hour, as part of the caller's transaction.

    Args:
        connection: of a transaction, which may also keep what was done.
        client: whose it is.
        used: how much.
        now: seconds since the epoch, this moment by default.
    """
    values = dict(zip(COUNTS, astuple(used), strict=True))
    hour = hour_of(time.time() if now is None else now)
    insert: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = insert.insert(USAGE).values(client=client, hour=hour, **values)
    more = {name: USAGE.c[name] + row.excluded[name] for name in COUNTS}
    connection.execute(row.on_conflict_do_update(index_elements=["client", "hour"], set_=more))


def usage_rows(
    engine: Engine, *, client: str | None = None, since: str = "", until: str = "~"
) -> list[tuple[str, str, Used]]:
    """Returns clients, hours and what was used in them, in order.

    Args:
        engine: of the database.
        client: whose, None for everybody's.
        since: the first hour, such as `2026-11` or `2026-11-27T08`.
        until: the hour after the last one.
    """
    wanted = select(USAGE).where(USAGE.c.hour >= since, USAGE.c.hour < until)
    if client is not None:
        wanted = wanted.where(USAGE.c.client == client)
    with reading(engine).connect() as connection:
        rows = connection.execute(wanted.order_by(USAGE.c.client, USAGE.c.hour)).all()
    return [(row.client, row.hour, Used(**{n: getattr(row, n) for n in COUNTS})) for row in rows]


def usage_totals(engine: Engine) -> dict[str, Used]:
    """Returns what each client has used since the database was made."""
    sums = [func.sum(USAGE.c[name]).label(name) for name in COUNTS]
    wanted = select(USAGE.c.client, *sums).group_by(USAGE.c.client)
    with reading(engine).connect() as connection:
        rows = connection.execute(wanted).all()
    return {row.client: Used(**{n: int(getattr(row, n)) for n in COUNTS}) for row in rows}


def usage_csv(rows: Iterable[tuple[str, str, Used]]) -> str:
    """Returns rows as CSV with a line of names; times are UTC, lengths in seconds."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    names = [name.replace("milliseconds", "seconds") for name in COUNTS]
    writer.writerow(["client", "hour", *names])
    for client, hour, used in rows:
        counts = (
            f"{value / 1000:.3f}" if name.endswith("milliseconds") else value
            for name, value in zip(COUNTS, astuple(used), strict=True)
        )
        writer.writerow([client, f"{hour}:00:00Z", *counts])
    return file.getvalue()
