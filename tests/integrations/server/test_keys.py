"""Keys with names, what each may use up, and what each has used."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from framesift.errors import InvalidOptionError
from framesift_server import Settings, create_app
from framesift_server.database import connect
from framesift_server.keys import Keys
from framesift_server.metrics import VARIABLE, share_metrics
from framesift_server.quotas import DAY, MINUTE, QuotaError, Quotas
from framesift_server.usage import Used, add_usage, usage_csv, usage_rows, usage_totals

CLIP = "synthetic://number?seed=3"
ASKED = {"video": CLIP, "question": "What number flashes?"}
SECRETS = {name: f"{name}-secret-of-16-or-more" for name in ("ann", "bob", "ops")}
FILE = f"""
[ann]
key = "{SECRETS["ann"]}"
uploads_per_day = 2
upload_bytes_per_day = 5000

[bob]
sha256 = "{sha256(SECRETS["bob"].encode()).hexdigest()}"
requests_per_minute = 3

[ops]
key = "{SECRETS["ops"]}"
operator = true
"""


def bearer(name):
    return {"Authorization": f"Bearer {SECRETS[name]}"}


@pytest.fixture
def keyed(serve, tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(FILE)
    return serve(keys_file=path)


@pytest.fixture
def opened(shared_settings):
    """Opens the same database as several processes do."""
    engines = []

    def open_another():
        engines.append(connect(Settings(**shared_settings)))
        return engines[-1]

    yield open_another
    for engine in engines:
        engine.dispose()


def rows(client, name, **query):
    return client.get("/v1/usage", params=query, headers=bearer(name)).json()


def totals(client, name):
    """Returns the sums over the hours, of which there may be two."""
    found = rows(client, name)
    return {key: sum(row[key] for row in found) for key in found[0] if key != "hour"}


def until_ended(client, job, name):
    deadline = time.monotonic() + 60
    while (state := client.get(job, headers=bearer(name)).json())["status"] in (
        "waiting",
        "running",
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return state


def test_each_key_opens_the_server_and_nobody_elses_jobs(keyed):
    posted = {"kind": "keyframes", "video": "synthetic://static?seconds=1"}
    jobs = {}
    for name in ("ann", "bob"):
        response = keyed.post("/v1/jobs", json=posted, headers=bearer(name))
        assert response.status_code == 202
        jobs[name] = response.headers["location"]
    assert keyed.get(jobs["ann"], headers=bearer("ann")).status_code == 200
    assert keyed.get(jobs["ann"], headers=bearer("bob")).status_code == 404
    listed = keyed.get("/v1/jobs", headers=bearer("ann")).json()["jobs"]
    assert [job["id"] for job in listed] == [jobs["ann"].rpartition("/")[2]]
    for wrong in ("", "Bearer ", "Bearer ann", f"Basic {SECRETS['ann']}"):
        assert keyed.get("/v1/jobs", headers={"Authorization": wrong}).status_code == 401


def test_metrics_are_for_the_operator(keyed):
    for name, status in (("ann", 403), ("bob", 403), ("ops", 200)):
        assert keyed.get("/metrics", headers=bearer(name)).status_code == status


def test_an_answer_and_a_job_are_billed_as_what_they_did(keyed):
    answer = keyed.post("/v1/ask", json=ASKED, headers=bearer("ann")).json()
    job = keyed.post("/v1/jobs", json={"kind": "ask", **ASKED}, headers=bearer("ann"))
    assert until_ended(keyed, job.headers["location"], "ann")["status"] == "done"
    part = {"video": f"{CLIP}#t=1,3", "encoder": "handcrafted"}
    made = keyed.post("/v1/compress", json=part, headers=bearer("ann")).json()
    used, whole = totals(keyed, "ann"), answer["usage"]
    assert (used["requests"], used["failed"]) == (3, 0)
    for side, count in (("in", "before"), ("out", "after")):
        asked = 2 * whole[f"visual_tokens_{count}"]
        assert used[f"tokens_{side}"] == asked + made["report"][f"tokens_{side}"]
    assert used["answer_tokens"] == 2 * whole["answer_tokens"]
    assert used["video_seconds"] == 8 + 8 + 2
    assert used["work_seconds"] > 0
    assert rows(keyed, "ops") == [], "what others used is not theirs"


def test_work_that_fails_is_billed_its_time_alone(keyed):
    wrong = {"video": "synthetic://nothing"}
    assert keyed.post("/v1/keyframes", json=wrong, headers=bearer("ann")).status_code == 422
    job = keyed.post("/v1/jobs", json={"kind": "keyframes", **wrong}, headers=bearer("ann"))
    assert until_ended(keyed, job.headers["location"], "ann")["status"] == "failed"
    endless = {"kind": "compress", "video": "synthetic://number?seconds=7200"}
    job = keyed.post("/v1/jobs", json=endless, headers=bearer("ann")).headers["location"]
    deadline = time.monotonic() + 60
    while not keyed.get(job, headers=bearer("ann")).json()["progress"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    keyed.delete(job, headers=bearer("ann"))
    assert until_ended(keyed, job, "ann")["status"] == "cancelled"
    used = totals(keyed, "ann")
    assert (used["requests"], used["failed"]) == (0, 3)
    assert (used["video_seconds"], used["tokens_in"]) == (0, 0)
    assert used["work_seconds"] > 0


def test_what_is_refused_before_it_begins_is_not_billed(keyed):
    assert keyed.post("/v1/ask", json={"video": CLIP}, headers=bearer("ann")).status_code == 422
    wrong = {**ASKED, "strategy": "temporl"}
    assert keyed.post("/v1/ask", json=wrong, headers=bearer("ann")).status_code == 422
    assert rows(keyed, "ann") == []


def test_uploads_have_a_number_and_bytes_in_a_day(keyed):
    def send(size, name="ann"):
        return keyed.post(
            "/v1/uploads", files={"file": ("a.mp4", b"x" * size)}, headers=bearer(name)
        )

    refused = send(6000)
    assert refused.status_code == 429
    assert "'ann' may use 5000 upload bytes in a day" in refused.json()["detail"]
    assert 0 < int(refused.headers["retry-after"]) <= DAY
    assert send(2000).status_code == 201
    assert send(4000).status_code == 429, "what is left does not hold it"
    assert send(1000).status_code == 201
    assert "2 uploads in a day and has 0 left" in send(10).json()["detail"]
    assert send(6000, "ops").status_code == 201, "another key has its own"
    used = totals(keyed, "ann")
    assert (used["uploads"], used["upload_bytes"]) == (2, 3000)


def test_an_upload_that_fails_gives_its_quota_back(serve, tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(FILE)
    small = serve(keys_file=path, max_upload_bytes=1024)
    for _ in range(3):
        sent = small.post("/v1/uploads", files={"file": ("a", b"x" * 3000)}, headers=bearer("ann"))
        assert sent.status_code == 413
    sent = small.post("/v1/uploads", files={"file": ("a", b"x" * 500)}, headers=bearer("ann"))
    assert sent.status_code == 201


def test_an_upload_that_is_counted_says_how_large_it_is(keyed):
    chunks = iter([b"--b\r\n", b"--b--\r\n"])
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    sent = keyed.post("/v1/uploads", content=chunks, headers={**bearer("ann"), **kind})
    assert sent.status_code == 411


@pytest.mark.parametrize("size", ["9" * 19, "9" * 30])
def test_a_size_that_no_column_holds_is_more_than_there_is(opened, size):
    with pytest.raises(QuotaError, match="has 5 left") as refused:
        Quotas(opened()).take("ann", [("upload bytes", int(size), 5)], DAY)
    assert size in str(refused.value)


def test_requests_have_a_rate(keyed):
    answers = [keyed.get("/v1/strategies", headers=bearer("bob")) for _ in range(7)]
    statuses = [answer.status_code for answer in answers]
    assert 429 in statuses, "a minute may end in between, after which there are three more"
    refused = answers[statuses.index(429)]
    assert 0 < int(refused.headers["retry-after"]) <= MINUTE
    assert "3 requests in a minute" in refused.json()["detail"]
    assert keyed.get("/health").status_code == 200


def test_a_quota_is_new_in_the_next_stretch(opened):
    now = [1_000_000.0 * MINUTE]
    quotas = [Quotas(opened(), lambda: now[0]) for _ in range(2)]
    for number in range(4):
        quotas[number % 2].take("ann", [("requests", 1, 4)], MINUTE)
    now[0] += 20
    with pytest.raises(QuotaError, match="0 left") as refused:
        quotas[0].take("ann", [("requests", 1, 4)], MINUTE)
    assert refused.value.retry_seconds == 40
    now[0] += 40
    quotas[1].take("ann", [("requests", 1, 4)], MINUTE)


def test_two_processes_never_give_more_than_there_is(opened):
    taken = []

    def take(quotas):
        for _ in range(30):
            try:
                quotas.take("ann", [("uploads", 1, 100), ("upload bytes", 7, 140)], DAY)
                taken.append(1)
            except QuotaError:
                pass

    engines = [opened() for _ in range(2)]
    threads = [Thread(target=take, args=(Quotas(engine),)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 20


def test_two_processes_bill_every_piece_of_work_once(opened):
    used = Used(requests=1, work_milliseconds=7, tokens_in=2**40)

    def bill(engine):
        for _ in range(40):
            with engine.begin() as connection:
                add_usage(connection, "ann", used)

    engines = [opened() for _ in range(2)]
    threads = [Thread(target=bill, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = usage_totals(engines[0])["ann"]
    assert total == Used(requests=80, work_milliseconds=560, tokens_in=80 * 2**40)


def test_hours_are_apart_and_may_be_chosen(opened):
    engine = opened()
    for client, seconds in (("ann", 0), ("ann", 3600), ("bob", 3600), ("ann", 40 * DAY)):
        with engine.begin() as connection:
            add_usage(connection, client, Used(requests=1, video_milliseconds=1500), seconds)
    assert [hour for _, hour, _ in usage_rows(engine, client="ann")] == [
        "1970-01-01T00",
        "1970-01-01T01",
        "1970-02-10T00",
    ]
    january = usage_rows(engine, since="1970-01", until="1970-02")
    assert [client for client, _, _ in january] == ["ann", "ann", "bob"]
    assert usage_csv(january).splitlines()[:2] == [
        "client,hour,requests,failed,work_seconds,video_seconds,tokens_in,tokens_out,"
        "answer_tokens,uploads,upload_bytes",
        "ann,1970-01-01T00:00:00Z,1,0,0.000,1.500,0,0,0,0,0",
    ]


def test_usage_is_csv_for_its_key_metrics_and_a_command_for_the_operator(keyed, capfd):
    keyed.post("/v1/keyframes", json={"video": CLIP}, headers=bearer("ann"))
    own = keyed.get("/v1/usage", params={"format": "csv"}, headers=bearer("ann"))
    assert own.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(own.text))
    assert (row["client"], row["requests"], row["video_seconds"]) == ("ann", "1", "8.000")
    told = keyed.get("/metrics", headers=bearer("ops")).text
    assert 'framesift_usage_requests_total{client="ann"} 1.0' in told
    assert 'framesift_usage_video_seconds_total{client="ann"} 8.0' in told
    folder = keyed.app.state.service.settings.state_folder
    code = "import framesift_server; framesift_server.main()"
    command = [sys.executable, "-c", code, "usage", "--state-folder", str(folder)]
    out = subprocess.run(command, capture_output=True, check=True, timeout=120).stdout.decode()
    assert out == own.text
    wrong = subprocess.run(
        [*command, "--state-folder", "/nowhere"], capture_output=True, timeout=60
    )
    assert wrong.returncode == 1
    assert b"no server has kept its state in '/nowhere'" in wrong.stderr


def test_a_wrong_span_of_usage_is_one_line(keyed):
    refused = keyed.get("/v1/usage", params={"since": "yesterday"}, headers=bearer("ann"))
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("query.since: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no client"),
        ("[ann", "cannot be read"),
        ("[ann]\n", "either `key` or `sha256`"),
        ('ann = "secret"\n', "either `key` or `sha256`"),
        ('[ann]\nkey = "short"\n', "at least 16 characters"),
        ('[ann]\nsha256 = "zz"\n', "64 hexadecimal digits"),
        ('["a b"]\nkey = "0123456789abcdef"\n', "letters, digits"),
        ('[ann]\nkey = "0123456789abcdef"\nuploads = 3\n', "uploads"),
        ('[ann]\nkey = "0123456789abcdef"\nuploads_per_day = -3\n', "uploads_per_day"),
        ('[a]\nkey = "0123456789abcdef"\n[b]\nkey = "0123456789abcdef"\n', "the same key"),
        ('[default]\nkey = "0123456789abcdef"\n', "the same name"),
    ],
)
def test_a_wrong_file_of_keys_is_one_line(tmp_path, text, words):
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(InvalidOptionError) as refused:
        Keys.of(Settings(keys_file=path, api_key="another-secret-of-16"))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "0123456789abcdef" not in str(refused.value)


def test_a_key_is_not_kept(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(FILE)
    keys = Keys.of(Settings(keys_file=path))
    assert SECRETS["ann"] not in repr(vars(keys))


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("evil.example", 421)])
def test_a_foreign_name_is_refused_before_the_key(keyed, host, status):
    response = keyed.get("/health", headers={"Host": host})
    assert response.status_code == status
    if status == 421:
        assert response.headers["content-type"] == "application/problem+json"
        assert "--allow-host evil.example" in response.json()["detail"]


def test_a_page_of_a_stranger_is_refused(client):
    headers = {"Host": "localhost", "Origin": "https://evil.example"}
    refused = client.post("/v1/ask", json=ASKED, headers=headers)
    assert refused.status_code == 403
    assert "pages of 'https://evil.example'" in refused.json()["detail"]


def test_a_server_is_ready_once_its_model_is_loaded(serve):
    server = serve()
    early = server.get("/ready")
    assert early.status_code == 503
    assert early.json()["detail"].startswith("'tiny' is not loaded yet")
    assert server.get("/health").status_code == 200
    assert server.post("/v1/ask", json=ASKED).status_code == 200
    assert server.get("/ready").json() == {"status": "ready"}
    server.app.state.service.stopping = True
    stopping = server.get("/ready")
    assert (stopping.status_code, "stopping" in stopping.text) == (503, True)


def test_models_are_loaded_at_the_start_where_that_is_asked_for(serve):
    server = serve(preload=True, api_key="a-secret-of-16-or-more")
    deadline = time.monotonic() + 60
    while (told := server.get("/ready")).status_code != 200:
        assert "being loaded" in told.json()["detail"]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_model_that_cannot_be_loaded_is_why_a_server_is_not_ready(serve, tmp_path):
    server = serve(preload=True, models=(str(tmp_path),))
    deadline = time.monotonic() + 60
    while "cannot be loaded" not in (told := server.get("/ready").json())["detail"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert told["status"] == 503


def test_a_database_that_does_not_answer_is_why_a_server_is_not_ready(serve, monkeypatch):
    server = serve()
    assert server.post("/v1/ask", json=ASKED).status_code == 200
    service = server.app.state.service
    monkeypatch.setattr(service, "engine", create_engine("sqlite:////nowhere/at/all.sqlite"))
    told = server.get("/ready")
    assert told.status_code == 503
    assert "database of this server does not answer" in told.json()["detail"]


COUNTING = """
import json, sys
from pathlib import Path
from fastapi.testclient import TestClient
from framesift_server import Settings, create_app
settings = Settings(allow_synthetic=True, state_folder=Path(sys.argv[1]))
with TestClient(create_app(settings), base_url="http://localhost") as client:
    for _ in range(int(sys.argv[2])):
        asked = {"video": "synthetic://static?seconds=1"}
        assert client.post("/v1/keyframes", json=asked).status_code == 200
    print(json.dumps(client.get("/metrics").text), flush=True)
    sys.stdin.read()
"""


def test_servers_that_share_their_state_count_apart(monkeypatch):
    monkeypatch.setenv(VARIABLE, "before")
    share_metrics()
    first = Path(os.environ[VARIABLE])
    (first / "counter_17.db").touch()
    share_metrics()
    assert Path(os.environ[VARIABLE]) != first
    assert (first / "counter_17.db").exists()


def test_a_failure_of_the_server_is_counted_as_one(tmp_path, monkeypatch):
    app = create_app(Settings(state_folder=tmp_path))
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        monkeypatch.setattr(app.state.service.store, "page", None)
        assert client.get("/v1/jobs").status_code == 500
        counted = 'framesift_requests_total{path="/v1/jobs",status="500"} 1.0'
        assert counted in client.get("/metrics").text


def test_processes_count_together(tmp_path):
    """Three answers of one process and two of another are five, whichever is asked."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    started, told = [], []
    for count in (3, 2):
        process = subprocess.Popen(
            [sys.executable, "-c", COUNTING, str(tmp_path / "state"), str(count)],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        told.append(json.loads(process.stdout.readline()))
    for process in started:
        process.kill()
        process.communicate()
    counted = 'framesift_requests_total{path="/v1/keyframes",status="200"}'
    assert f"{counted} 3.0" in told[0]
    assert f"{counted} 5.0" in told[1]
    assert 'framesift_usage_requests_total{client="anybody"} 5.0' in told[1]
    assert 'framesift_working{model="keyframes"} 0.0' in told[1]
    engine = connect(Settings(state_folder=tmp_path / "state"))
    assert usage_totals(engine)["anybody"].requests == 5, "what was answered outlives kill -9"
    engine.dispose()
