"""What each client may still use up in a minute or a day, counted for all processes together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    String,
    Table,
    delete,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from framesift_server.database import METADATA

MINUTE: Final = 60
DAY: Final = 24 * 60 * MINUTE
SPANS: Final = {MINUTE: "a minute", DAY: "a day"}

TAKEN: Final = Table(
    "taken",
    METADATA,
    Column("client", String(64), primary_key=True),
    Column("what", String(20), primary_key=True),
    Column("begins", Integer, primary_key=True),
    Column("ends", Integer, nullable=False, index=True),
    Column("amount", BigInteger, nullable=False),
)


class QuotaError(Exception):
    """A client has used up what it may."""

    def __init__(self, line: str, retry_seconds: int) -> None:
        super().__init__(line)
        self.retry_seconds = retry_seconds


class Quotas:
    """Counts what clients take, each within fixed stretches of time."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine, self._clock = engine, clock

    def take(
        self, client: str, amounts: Iterable[tuple[str, int, int | None]], seconds: int
    ) -> Callable[[], None] | None:
        """Takes some of each kind, or nothing at all.

        Args:
            client: who takes it.
            amounts: the kind, how much of it, and how much there is in each stretch; None for
                what has no limit.
            seconds: length of a stretch: a minute or a day, in UTC.

        Returns:
            What gives it back, None where nothing has a limit.

        Raises:
            QuotaError: there is not enough left; says how much there is, and when there is more.
        """
        limited = [(what, amount, most) for what, amount, most in amounts if most is not None]
        if not limited:
            return None
        now = self._clock()
        begins = math.floor(now / seconds) * seconds
        with self._engine.begin() as connection:
            connection.execute(delete(TAKEN).where(TAKEN.c.ends < now))
            for what, amount, most in limited:
                # More than there ever is may be more than a column holds.
                counted = min(amount, most + 1)
                total = _add(connection, client, what, counted, begins, seconds)
                if total > most:
                    connection.rollback()
                    retry_seconds = math.ceil(begins + seconds - now)
                    raise QuotaError(
                        f"{client!r} may use {most} {what} in {SPANS[seconds]} and has "
                        f"{max(0, most - total + counted)} left, this needs {amount}; there are "
                        f"more in {retry_seconds} s",
                        retry_seconds,
                    )
        return partial(self._give_back, client, limited, begins)

    def _give_back(self, client: str, amounts: Iterable[tuple[str, int, int]], begins: int) -> None:
        with self._engine.begin() as connection:
            for what, amount, _ in amounts:
                own = (TAKEN.c.client == client, TAKEN.c.what == what, TAKEN.c.begins == begins)
                less = TAKEN.c.amount - amount
                connection.execute(update(TAKEN).where(*own).values(amount=less))


def _add(
    connection: Connection, client: str, what: str, amount: int, begins: int, seconds: int
) -> int:
    """Adds to what was taken in a stretch; returns the sum."""
    insert: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = insert.insert(TAKEN).values(
        client=client, what=what, begins=begins, ends=begins + seconds, amount=amount
    )
    kept = row.on_conflict_do_update(
        index_elements=["client", "what", "begins"], set_={"amount": TAKEN.c.amount + amount}
    )
    return int(connection.scalars(kept.returning(TAKEN.c.amount)).one())
