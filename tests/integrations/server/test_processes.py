"""Several processes of one server, and what becomes of jobs where one of them ends."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

import framesift

SERVE = "import framesift_server; framesift_server.main()"
CLIP = "synthetic://number?seed=3"
LONG = "synthetic://mixed?seconds=20&width=640&height=480"
"""Takes seconds, so that it is under way when something happens."""
ENDLESS = "synthetic://mixed?seconds=7200&width=1280&height=720"
LEASE_SECONDS = "2"
PATIENCE_SECONDS = 120

pytestmark = pytest.mark.slow


class Running:
    """A server in a process of its own."""

    def __init__(self, settings, *arguments, port=None):
        if port is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        given = {f"FRAMESIFT_{name.upper()}": str(value) for name, value in settings.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, "--port", str(port), *arguments],
            env={**os.environ, **given, "FRAMESIFT_LEASE_SECONDS": LEASE_SECONDS},
            stderr=subprocess.DEVNULL,
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def wait(self):
        wait_for(self.answers)
        return self

    def answers(self):
        assert self.process.poll() is None
        try:
            return self.client.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.client.base_url.port), timeout=60).close()
        except ConnectionRefusedError:
            return False
        return True

    def post(self, kind="keyframes", video=LONG, **headers):
        response = self.client.post(
            "/v1/jobs", json={"kind": kind, "video": video}, headers=headers
        )
        assert response.status_code == 202, response.text
        return response.json()["id"]

    def job(self, name):
        return self.client.get(f"/v1/jobs/{name}").json()

    def events(self, name, after=0):
        """Yields the events of a job as (number, name, data)."""
        headers = {"Last-Event-ID": str(after)}
        with self.client.stream("GET", f"/v1/jobs/{name}/events", headers=headers) as response:
            fields = {}
            for line in response.iter_lines():
                field, colon, value = line.partition(": ")
                if field and colon:
                    fields[field] = value
                elif not line and fields:
                    yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                    fields = {}

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def children(self):
        """Returns the process ids of the workers."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = path.read_text().rpartition(")")[2].split()
                line = path.with_name("cmdline").read_bytes()
            except OSError:
                continue
            if words[1] == str(self.process.pid) and b"spawn_main" in line:
                found.append(int(path.parent.name))
        return found


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def under_way(server, name):
    wait_for(lambda: server.job(name)["progress"] is not None)


@pytest.fixture
def start(tmp_path):
    """Starts servers that share their state."""
    yield from starting({"allow_synthetic": True, "state_folder": tmp_path / "state"})


@pytest.fixture
def start_with(shared_settings):
    """Does so with either kind of database."""
    yield from starting(shared_settings)


def starting(settings):
    """Yields what starts a server, and ends what was started."""
    started = []

    def begin(*arguments, port=None, **more):
        started.append(Running({**settings, **more}, *arguments, port=port))
        return started[-1]

    yield begin
    for server in started:
        server.client.close()
        for child in server.children():
            os.kill(child, signal.SIGKILL)
        server.process.kill()
        server.process.wait()


def test_two_servers_serve_the_upload_events_and_result_of_one_job_across_a_restart(
    start_with, tmp_path
):
    with framesift.open_video(CLIP) as video:
        content = video.path.read_bytes()
    first, second = start_with(grace_seconds=0.2), start_with()
    video = first.wait().client.post("/v1/uploads", files={"file": ("a.mp4", content)}).json()
    second.wait()
    by_upload = second.post(video=video["video"])
    *_, last = first.events(by_upload)
    assert last[1] == "done"
    assert len(second.job(by_upload)["result"]["keyframes"]) == 8

    assert second.end() == 128 + signal.SIGTERM
    name = first.post()
    told = list(told_until_stopped(first, name))
    number, kind, data = told[-1]
    assert (kind, data) == ("stopping", {"last_event_id": number})
    third = start_with().wait()
    assert third.job(name)["status"] in ("waiting", "running")
    *between, last = third.events(name, after=number)
    assert last[1] == "done"
    assert [event[0] for event in between] == sorted({event[0] for event in between})
    assert between[0][0] > number
    assert third.job(name)["attempts"] == 1, "what is given back in time counts no attempt"
    assert len(third.job(name)["result"]["keyframes"]) == 8
    assert len(third.job(by_upload)["result"]["keyframes"]) == 8
    again = third.client.post("/v1/keyframes", json={"video": video["video"]})
    assert again.status_code == 200, "the upload is there"
    listed = third.client.get("/v1/jobs", params={"status": "done"}).json()
    assert [job["id"] for job in listed["jobs"]] == [name, by_upload]


def told_until_stopped(server, name):
    """Yields the events of a job, and tells its server to end once the job is under way."""
    told = False
    for event in server.events(name):
        yield event
        if not told and event[1] == "progress":
            told = True
            server.process.send_signal(signal.SIGTERM)


def test_a_job_whose_server_is_killed_is_done_by_another(start_with):
    first = start_with().wait()
    name = first.post()
    told = []
    for event in first.events(name):
        told.append(event)
        if event[1] == "progress":
            break
    first.end(signal.SIGKILL)
    second = start_with().wait()
    *_, last = second.events(name, after=told[-1][0])
    assert last[1] == "done"
    assert second.job(name)["attempts"] == 2
    assert second.job(name)["result"]["keyframes"]


def test_a_job_is_cancelled_and_its_key_holds_through_another_server(start_with):
    first = start_with().wait()
    name = first.post(video=ENDLESS, **{"Idempotency-Key": "k"})
    under_way(first, name)
    second = start_with().wait()
    assert second.post(video=ENDLESS, **{"Idempotency-Key": "k"}) == name
    assert second.client.delete(f"/v1/jobs/{name}").status_code == 204
    assert [event[1] for event in second.events(name)][-1] == "cancelled"
    wait_for(lambda: first.client.get("/health").json()["working"]["keyframes"] == 0)
    assert first.job(name)["status"] == "cancelled"


def test_the_workers_of_one_server_share_jobs_and_end_with_it(start):
    server = start("--workers", "2").wait()
    wait_for(lambda: len(server.children()) == 2)
    workers = server.children()
    found, name = queue.Queue(), server.post()
    under_way(server, name)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: len(set(server.children()) - set(workers)) == 2)
    server.client.close()
    server.client = httpx.Client(base_url=server.client.base_url, timeout=60)
    server.wait()
    watching = threading.Thread(target=lambda: found.put(list(server.events(name))))
    watching.start()
    assert found.get(timeout=PATIENCE_SECONDS)[-1][1] == "done"
    watching.join()
    assert server.job(name)["attempts"] == 2
    workers = server.children()
    assert server.end() == 128 + signal.SIGTERM
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


@pytest.mark.parametrize("booted", [True, False])
def test_workers_end_where_their_supervisor_is_killed(start, booted):
    server = start("--workers", "2")
    if booted:
        server.wait()
    wait_for(lambda: len(server.children()) == 2)
    workers = server.children()
    server.end(signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_the_address_is_free_while_workers_whose_supervisor_was_killed_still_work(start):
    server = start("--workers", "2", grace_seconds=600).wait()
    wait_for(lambda: len(server.children()) == 2)
    under_way(server, server.post(video=ENDLESS))
    workers = server.children()
    try:
        server.end(signal.SIGKILL)
        wait_for(lambda: not server.listens())
        start(port=server.client.base_url.port).wait()
        assert any(Path(f"/proc/{worker}").exists() for worker in workers)
    finally:
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def test_a_server_that_ends_takes_no_more_work_and_a_second_signal_ends_it_at_once(start):
    server = start(grace_seconds=600).wait()
    name = server.post(video=ENDLESS)
    under_way(server, name)
    events = server.events(name)
    next(events)
    server.process.send_signal(signal.SIGTERM)
    assert list(events)[-1][1] == "stopping"
    refused = server.client.post("/v1/keyframes", json={"video": CLIP})
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) >= 1
    assert server.client.get("/health").status_code == 200
    start_seconds = time.monotonic()
    assert server.end() == 128 + signal.SIGTERM
    assert time.monotonic() - start_seconds < 300


def test_a_request_that_does_not_end_in_time_is_told_to_come_again(start):
    server, answers = start(grace_seconds=0.5).wait(), queue.Queue()

    def ask():
        answers.put(server.client.post("/v1/keyframes", json={"video": ENDLESS}))

    asking = threading.Thread(target=ask)
    asking.start()
    with httpx.Client(base_url=server.client.base_url) as other:
        wait_for(lambda: other.get("/health").json()["working"].get("keyframes"))
    assert server.end() == 128 + signal.SIGTERM
    answer = answers.get(timeout=PATIENCE_SECONDS)
    asking.join()
    assert answer.status_code == 503
    assert "send the request again" in answer.json()["detail"]
