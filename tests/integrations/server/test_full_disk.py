"""A disk without room: what cannot be kept is refused in one line, and leaves nothing."""

import resource
import sqlite3
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from framesift_server.problems import FULL

POSTED = {"kind": "keyframes", "video": "synthetic://static?seconds=1"}


@contextmanager
def no_file_larger_than(count):
    """Lets this process write no file to more bytes, as a disk does that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def assert_full(response):
    assert response.status_code == 507
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == FULL


@pytest.mark.parametrize("count", [200_000, 5_000_000], ids=["when stored", "when received"])
def test_an_upload_leaves_nothing(serve, tmp_path, count):
    """A small one is received in memory, a large one in a temporary file."""
    client = serve(state_folder=tmp_path)
    with no_file_larger_than(65_536):
        assert_full(client.post("/v1/uploads", files={"file": ("a.mp4", b"x" * count)}))
    assert list((tmp_path / "uploads").iterdir()) == []
    sent = client.post("/v1/uploads", files={"file": ("a.mp4", b"x" * count)})
    assert sent.status_code == 201
    assert len(list((tmp_path / "uploads").iterdir())) == 1


def test_a_job_that_cannot_be_noted_is_refused(serve, tmp_path):
    client = serve(state_folder=tmp_path)
    with no_file_larger_than(1):
        assert_full(client.post("/v1/jobs", json=POSTED))
        assert client.get("/v1/jobs").json()["jobs"] == []
    assert client.post("/v1/jobs", json=POSTED).status_code == 202


def test_a_database_that_does_not_answer_is_a_problem_of_the_moment(serve, monkeypatch):
    client = serve()

    def fails(*_, **__):
        cause = sqlite3.OperationalError("database is locked")
        raise OperationalError("SELECT body FROM jobs", {}, cause)

    monkeypatch.setattr(client.app.state.service.store, "page", fails)
    refused = client.get("/v1/jobs")
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "does not answer" in refused.json()["detail"]
    assert "SELECT" not in refused.text


def test_a_job_whose_result_finds_no_room_fails_with_its_reason(serve, tmp_path):
    client = serve(state_folder=tmp_path)
    (tmp_path / "jobs").rmdir()
    (tmp_path / "jobs").write_text("a file, in which no result can lie")
    name = client.post("/v1/jobs", json=POSTED).json()["id"]
    with client.stream("GET", f"/v1/jobs/{name}/events") as events:
        assert "event: failed" in list(events.iter_lines())
    job = client.get(f"/v1/jobs/{name}").json()
    assert (job["status"], job["problem"]["status"], job["result"]) == ("failed", 507, None)
    assert str(tmp_path) not in job["problem"]["detail"]
