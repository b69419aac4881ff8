"""Work in the background."""

import json
import time

import pytest
from fastapi.testclient import TestClient

from framesift_server import Settings, create_app

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"
ENDLESS = "synthetic://number?seconds=7200"


def events(client, job, headers=None):
    """Returns the events of a job until its end, as (number, name, data); comments are none."""
    found, fields = [], {}
    with client.stream("GET", f"{job}/events", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            name, colon, value = line.partition(": ")
            if name and colon:
                fields[name] = value
            elif not line and fields:
                found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
                fields = {}
    return found


@pytest.fixture(scope="module")
def asked(client):
    response = client.post("/v1/jobs", json={"kind": "ask", "video": CLIP, "question": QUESTION})
    assert response.status_code == 202
    return response.headers["location"]


def test_a_job_tells_its_stages_and_ends_with_the_direct_answer(client, asked):
    told = events(client, asked)
    stages = [data["stage"] for _, name, data in told if name == "progress"]
    assert list(dict.fromkeys(stages))[-3:] == ["encode", "plan", "answer"]
    assert told[-1][1] == "done"
    job = client.get(asked).json()
    direct = client.post("/v1/ask", json={"video": CLIP, "question": QUESTION}).json()
    assert job["status"] == "done"
    assert job["result"]["text"] == direct["text"]
    assert job["result"]["evidence"] == direct["evidence"]


def test_events_go_on_after_the_last_one_that_arrived(client, asked):
    every = events(client, asked)
    last = every[-2][0]
    assert events(client, asked, {"Last-Event-ID": str(last)}) == every[-1:]


def test_a_job_that_fails_holds_its_problem(client):
    posted = {"kind": "keyframes", "video": "synthetic://nothing"}
    job = client.post("/v1/jobs", json=posted).headers["location"]
    assert events(client, job)[-1][1] == "failed"
    state = client.get(job).json()
    assert (state["status"], state["problem"]["status"]) == ("failed", 422)
    assert "unknown scene" in state["problem"]["detail"]


def test_what_can_be_known_at_once_is_refused_at_once(client):
    for wrong in ({"model": "no"}, {"video": "upload:no"}, {"kind": "dance"}):
        posted = {"kind": "ask", "video": CLIP, "question": QUESTION, **wrong}
        assert client.post("/v1/jobs", json=posted).status_code == 422


def test_a_cancelled_job_ends_and_stays_cancelled(client):
    posted = {"kind": "compress", "video": ENDLESS, "encoder": "handcrafted"}
    job = client.post("/v1/jobs", json=posted).headers["location"]
    assert client.delete(job).status_code == 204
    assert events(client, job)[-1][1] == "cancelled"
    client.delete(job)
    assert client.get(job).json()["status"] == "cancelled"
    assert client.get("/health").json()["working"].get("handcrafted", 0) == 0


def test_a_job_has_a_longest_time(serve):
    hasty = serve(max_job_seconds=0.3)
    posted = {"kind": "compress", "video": ENDLESS, "encoder": "handcrafted"}
    job = hasty.post("/v1/jobs", json=posted).headers["location"]
    assert events(hasty, job)[-1][1] == "failed"
    assert hasty.get(job).json()["problem"]["status"] == 504


def test_the_same_key_is_the_same_job(client):
    posted = {"kind": "keyframes", "video": "synthetic://static?seconds=1"}
    ids = {
        client.post("/v1/jobs", json=posted, headers={"Idempotency-Key": "k1"}).json()["id"]
        for _ in range(2)
    }
    assert len(ids) == 1
    other = client.post("/v1/jobs", json=posted, headers={"Idempotency-Key": "k2"}).json()["id"]
    assert other not in ids


def test_a_key_of_another_request_is_refused(client):
    posted = {"kind": "keyframes", "video": "synthetic://static?seconds=2"}
    key = {"Idempotency-Key": "k3"}
    assert client.post("/v1/jobs", json=posted, headers=key).status_code == 202
    part = {**posted, "video": f"{posted['video']}#t=0,1"}
    refused = client.post("/v1/jobs", json=part, headers=key)
    assert refused.status_code == 422
    assert "'k3' was given with another request" in refused.json()["detail"]


def test_only_the_last_jobs_are_remembered(serve):
    forgetful = serve(max_jobs=1)
    posted = {"kind": "keyframes", "video": "synthetic://static?seconds=1"}
    jobs = []
    for _ in range(3):
        jobs.append(forgetful.post("/v1/jobs", json=posted).headers["location"])
        events(forgetful, jobs[-1])
    assert [forgetful.get(job).status_code for job in jobs] == [404, 200, 200]


def test_stopping_the_server_ends_its_jobs(tmp_path):
    posted = {"kind": "compress", "video": ENDLESS, "encoder": "handcrafted"}
    settings = Settings(allow_synthetic=True, state_folder=tmp_path)
    with TestClient(create_app(settings)) as stopped:
        assert stopped.post("/v1/jobs", json=posted).status_code == 202
        start = time.monotonic()
    assert time.monotonic() - start < 30


def test_jobs_are_listed_a_page_at_a_time(serve):
    server = serve()
    posted = {"kind": "keyframes", "video": "synthetic://static?seconds=1"}
    names = [server.post("/v1/jobs", json=posted).json()["id"] for _ in range(3)]
    for name in names:
        events(server, f"/v1/jobs/{name}")
    first = server.get("/v1/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first["jobs"]] == [names[2], names[1]]
    assert all(job["result"] is None for job in first["jobs"])
    last = server.get("/v1/jobs", params={"limit": 2, "before": first["next"]}).json()
    assert [job["id"] for job in last["jobs"]] == [names[0]]
    assert last["next"] is None
    assert server.get("/v1/jobs", params={"status": "failed"}).json()["jobs"] == []
    assert server.get("/v1/jobs", params={"status": "asleep"}).status_code == 422


@pytest.mark.parametrize("before", [0, 2**31, 10**30])
def test_a_page_before_no_job_is_refused(client, before):
    refused = client.get("/v1/jobs", params={"before": before})
    assert refused.status_code == 422
    assert "query.before: Input should be" in refused.json()["detail"]


def test_an_upload_that_a_job_waits_for_makes_no_room(serve):
    server = serve(max_uploads=1)
    busy = {"kind": "keyframes", "video": ENDLESS}
    busy = server.post("/v1/jobs", json=busy).headers["location"]
    deadline = time.monotonic() + 30
    while server.get(busy).json()["status"] != "running":
        assert time.monotonic() < deadline
    needed, other, newest = "", "", ""
    for step in range(3):
        sent = server.post("/v1/uploads", files={"file": ("a.mp4", b"none")}).json()["video"]
        if step == 0:
            needed = sent
            job = server.post("/v1/jobs", json={"kind": "keyframes", "video": needed}).json()["id"]
        other, newest = newest, sent
    server.delete(busy)
    assert events(server, f"/v1/jobs/{job}")[-1][1] == "failed"
    assert server.get(f"/v1/jobs/{job}").json()["problem"]["status"] == 415, "it was there"
    statuses = [
        server.post("/v1/keyframes", json={"video": video}).status_code
        for video in (needed, other, newest)
    ]
    assert statuses == [415, 422, 415]
