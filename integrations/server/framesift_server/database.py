"""The database that several processes of one server share: SQLite by default, or PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    MetaData,
    create_engine,
    event,
    inspect,
    make_url,
)
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from framesift.errors import InvalidOptionError, MissingDependencyError, StorageError
from framesift_server.common_settings import CommonSettings

METADATA: Final = MetaData()
"""All tables; a module adds its own, and is imported before `connect` makes them."""
WAIT_SECONDS: Final = 10
"""How long a connection waits for another process's writing, and for PostgreSQL to answer."""
FULL: Final = frozenset({"disk_full", "DiskFull", "SQLITE_FULL", "SQLITE_IOERR_WRITE"})
"""What the drivers call a disk without room."""


def connect(settings: CommonSettings) -> Engine:
    """Returns the engine of a server's database, with every table made.

    With SQLite a transaction takes the right to write as it begins, so that what it reads cannot
    change before it writes; one of `reading(engine)` does not, and must not write.

    Raises:
        StorageError: the folder or the database cannot be used.
        InvalidOptionError: the database is none that is known here.
        MissingDependencyError: the driver of PostgreSQL is not installed.
    """
    with _one_line("the database of the server"):
        settings.state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings.database is None:
            engine = _sqlite(settings)
        else:
            engine = _postgresql(settings.database.get_secret_value())
        try:
            METADATA.create_all(engine)
        except (IntegrityError, OperationalError, ProgrammingError):
            METADATA.create_all(engine)  # another process was making them at the same time
        _check_columns(engine)
    return engine


def reading(engine: Engine) -> Engine:
    """Returns the same database for transactions that only read, and keep nobody waiting."""
    return engine.execution_options(reads=True)


def plain_failure(error: SQLAlchemyError) -> str:
    """Returns in one line what the database said, without the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def is_full(error: SQLAlchemyError) -> bool:
    """Returns whether a statement failed since the database's disk has no room."""
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorname", None) in FULL
    return type(cause).__name__ in FULL


def _sqlite(settings: CommonSettings) -> Engine:
    path = settings.state_folder / "framesift.sqlite"
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": WAIT_SECONDS}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # else the driver begins, and later than it should
        connection.execute("PRAGMA journal_mode = WAL")
        # Safe against the death of a process; a loss of power may take the last moments.
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _postgresql(address: str) -> Engine:
    try:
        url = make_url(address)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql":
        raise InvalidOptionError(
            "--database must be postgresql://USER:PASSWORD@HOST/NAME; leave it out for SQLite in "
            "--state-folder"
        )
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={"connect_timeout": WAIT_SECONDS},
        )
    except ImportError as error:
        raise MissingDependencyError(
            "'psycopg' is not installed; run: pip install 'framesift-server[postgres]'"
        ) from error


def _check_columns(engine: Engine) -> None:
    """Refuses tables that another version of this package has made."""
    inspector = inspect(engine)
    for table in METADATA.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        if there != {column.name for column in table.columns}:
            raise StorageError(
                f"the table {table.name!r} of the database is another version's; give another "
                "--state-folder or --database, or remove that table"
            )


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    try:
        yield
    except (StorageError, InvalidOptionError, MissingDependencyError):
        raise
    except OSError as error:
        raise StorageError(
            f"{what} cannot be kept ({error}); give a --state-folder that can be written to"
        ) from error
    except SQLAlchemyError as error:
        raise StorageError(
            f"{what} cannot be used ({plain_failure(error)}); see --state-folder and --database"
        ) from error
