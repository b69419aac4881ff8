"""What several processes of a server share."""

import sqlite3
from multiprocessing import get_context
from threading import Thread

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update

from framesift.errors import InvalidOptionError, StorageError
from framesift_server import Settings, database


@pytest.fixture
def numbers(monkeypatch):
    """A table of the database."""
    metadata = MetaData()
    monkeypatch.setattr(database, "METADATA", metadata)
    return Table("numbers", metadata, Column("number", Integer, primary_key=True))


def test_it_lies_in_the_state_folder_for_this_user_alone(tmp_path, numbers):
    folder = tmp_path / "deep" / "state"
    engine = database.connect(Settings(state_folder=folder))
    with engine.begin() as connection:
        connection.execute(insert(numbers).values(number=3))
    assert folder.stat().st_mode & 0o777 == 0o700
    with sqlite3.connect(folder / "framesift.sqlite") as plain:
        assert plain.execute("SELECT number FROM numbers").fetchall() == [(3,)]
        assert plain.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    plain.close()


def test_those_who_write_at_once_wait_for_each_other(tmp_path, numbers):
    engines = [database.connect(Settings(state_folder=tmp_path)) for _ in range(2)]
    with engines[0].begin() as connection:
        connection.execute(insert(numbers).values(number=0))

    def count(engine):
        for _ in range(50):
            with engine.begin() as connection:
                number = connection.execute(select(numbers.c.number)).scalar_one()
                connection.execute(update(numbers).values(number=number + 1))

    threads = [Thread(target=count, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading(engines[0]).connect() as connection:
        assert connection.execute(select(numbers.c.number)).scalar_one() == 100


def open_it(folder):
    database.connect(Settings(state_folder=folder))


def test_two_processes_may_make_it_at_once(tmp_path):
    processes = [get_context("spawn").Process(target=open_it, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


def test_tables_of_another_version_are_refused_in_one_line(tmp_path, numbers):
    with sqlite3.connect(tmp_path / "framesift.sqlite") as plain:
        plain.execute("CREATE TABLE numbers (number INTEGER, another TEXT)")
    plain.close()
    with pytest.raises(StorageError, match="table 'numbers' of the database is another version"):
        database.connect(Settings(state_folder=tmp_path))


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "state").write_text("")
    with pytest.raises(StorageError, match="give a --state-folder that can be written to"):
        database.connect(Settings(state_folder=tmp_path / "state"))


@pytest.mark.parametrize("address", ["mysql://root:secret@host/a", "secret", "sqlite:///secret"])
def test_another_database_is_refused_without_its_password(tmp_path, address):
    with pytest.raises(InvalidOptionError, match="--database must be postgresql://") as refused:
        database.connect(Settings(state_folder=tmp_path, database=address))
    assert "secret" not in str(refused.value)


def test_one_that_does_not_answer_is_one_line_without_its_password(tmp_path):
    settings = Settings(state_folder=tmp_path, database="postgresql://u:secret@127.0.0.1:1/n")
    with pytest.raises(StorageError, match="cannot be used") as refused:
        database.connect(settings)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
