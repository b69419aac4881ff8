"""What processes of a server leave each other about jobs, in either database."""

import time
from threading import Barrier, Thread

import pytest
from pydantic import TypeAdapter

from framesift.errors import InvalidOptionError
from framesift_server import Settings
from framesift_server.database import connect
from framesift_server.job_rows import ATTEMPTS, Event
from framesift_server.job_store import JobStore
from framesift_server.problems import ServerBusyError
from framesift_server.schemas import AnyRequest

BODY = TypeAdapter(AnyRequest).validate_python(
    {"kind": "compress", "video": "synthetic://static", "outputs": ["features", "keyframes"]}
)
OTHER = BODY.model_copy(update={"video": "synthetic://static#t=0,1"})
LINES = ("tiny",)


@pytest.fixture
def new_store(shared_settings):
    """Makes stores as several processes have them."""
    engines = []

    def make(*, keep=16, waiting=99, lease_seconds=60.0):
        engines.append(connect(Settings(**shared_settings)))
        folder = shared_settings["state_folder"] / "jobs"
        return JobStore(
            engines[-1], folder, keep=keep, waiting=waiting, lease_seconds=lease_seconds
        )

    yield make
    for engine in engines:
        engine.dispose()


def post(store, body=BODY, key=None, line="tiny", client=""):
    return store.post(line, body, client=client, key=key)


def test_a_job_is_claimed_once_and_in_order(new_store):
    stores = [new_store(), new_store()]
    posted = [post(stores[0]).id for _ in range(20)]
    claimed = [[], []]

    def claim(store, found):
        while job := store.claim("someone", LINES):
            found.append(job.id)

    threads = [Thread(target=claim, args=pair) for pair in zip(stores, claimed, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed[0] + claimed[1]) == sorted(posted)
    assert all(found == sorted(found, key=posted.index) for found in claimed)


def test_a_job_is_for_those_who_have_its_line(new_store):
    store = new_store()
    job = post(store, line="another")
    assert store.claim("a", LINES) is None
    assert store.claim("a", ("another",)).id == job.id


def test_one_key_is_one_job_however_many_post_it_at_once(new_store):
    stores = [new_store() for _ in range(4)]
    barrier, ids = Barrier(4), []

    def send(store):
        barrier.wait()
        ids.append(post(store, key="k").id)

    threads = [Thread(target=send, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert len(stores[0].page(client="", status=None, before=None, most=9)) == 1
    with pytest.raises(InvalidOptionError, match="'k' was given with another request"):
        post(stores[0], OTHER, key="k")
    assert post(stores[0], key="k", client="another").id not in ids
    assert stores[1].of_key("k", BODY, client="").id in ids
    assert stores[1].of_key("new", BODY, client="") is None


def test_a_job_whose_owner_shows_no_sign_of_life_is_begun_again_and_then_lost(new_store):
    store = new_store(lease_seconds=0.0)
    job = post(store)
    for attempt in range(1, ATTEMPTS + 1):
        claimed = store.claim("a", LINES)
        assert (claimed.id, claimed.attempts) == (job.id, attempt)
        time.sleep(0.01)
    assert store.claim("a", LINES) is None
    lost = store.get(job.id)
    assert lost.status == "lost"
    assert lost.problem.detail.startswith(f"{ATTEMPTS} processes of this server ended while")
    assert [event.name for event in lost.events(0)] == ["lost"]


def test_a_lease_that_is_renewed_lasts(new_store):
    store, other = new_store(lease_seconds=0.0), new_store()
    post(store)
    assert store.claim("a", LINES)
    other.renew("a")
    assert other.claim("b", LINES) is None


def test_what_a_process_writes_that_lost_its_job_is_left_out(new_store, shared_settings):
    store = new_store(lease_seconds=0.0)
    name = post(store).id
    late, now = store.claim("a", LINES), None
    while now is None:
        now = store.claim("a", LINES)
    store.note(late, {"plan": Event(number=7, name="progress", data={})})
    store.end(late, "done", '{"of": "the late one"}')
    assert store.get(name).status == "running"
    assert store.get(name).last == 0
    store.end(now, "done", '{"of": "the one in time"}')
    assert store.result(store.get(name)) == b'{"of": "the one in time"}'
    assert len(list((shared_settings["state_folder"] / "jobs").iterdir())) == 1


def test_jobs_that_are_given_back_count_no_attempt(new_store):
    store = new_store()
    name = post(store).id
    store.claim("a", LINES)
    store.release("b")
    assert store.get(name).status == "running"
    store.release("a")
    assert (store.get(name).status, store.get(name).attempts) == ("waiting", 0)
    assert store.claim("b", LINES).id == name


@pytest.mark.parametrize("ends", ["waiting", "released", "lapsed"])
def test_a_job_is_cancelled_wherever_it_is(new_store, ends):
    store = new_store(lease_seconds=0.0 if ends == "lapsed" else 60.0)
    name = post(store).id
    if ends != "waiting":
        store.claim("a", LINES)
    store.cancel(name)
    assert store.get(name).cancelled
    if ends == "released":
        store.release("a")
    if ends == "lapsed":
        time.sleep(0.01)
        assert store.claim("b", LINES) is None
    assert store.get(name).status == "cancelled"
    assert [event.name for event in store.get(name).events(0)] == ["cancelled"]
    store.cancel(name)
    assert store.get(name).last == 1


def test_only_the_last_that_ended_are_kept_and_their_files(new_store, shared_settings):
    store = new_store(keep=1)
    names = [post(store).id for _ in range(3)]
    for _ in names:
        store.end(store.claim("a", LINES), "done", "{}")
    waits = post(store).id
    assert [store.get(name) is None for name in (*names, waits)] == [True, True, False, False]
    assert len(list((shared_settings["state_folder"] / "jobs").iterdir())) == 1


def test_results_of_no_job_are_removed_at_the_start(new_store, shared_settings):
    store = new_store()
    job = post(store)
    store.end(store.claim("a", LINES), "done", "{}")
    orphan = shared_settings["state_folder"] / "jobs" / "0123456789abcdef-1.json"
    orphan.write_text("{}")
    being_written = orphan.with_name(".0123456789abcdef-2.json.1.1.part")
    being_written.write_text("{")
    other = new_store()
    assert not orphan.exists()
    assert being_written.exists(), "another process may be at it"
    assert other.result(other.get(job.id)) == b"{}"


def test_too_many_that_wait_are_refused(new_store):
    store = new_store(waiting=0)
    post(store)
    with pytest.raises(ServerBusyError, match="too many requests wait for 'tiny'"):
        post(store)
    post(store, line="another")


def test_pages_come_newest_first_by_client_and_status(new_store):
    store = new_store()
    names = [post(store).id for _ in range(5)]
    post(store, client="another")
    store.cancel(names[1])

    def page(**options):
        return store.page(**{"client": "", "status": None, "before": None, "most": 2, **options})

    first = page()
    assert [job.id for job in first] == [names[4], names[3]]
    assert [job.id for job in page(before=first[-1].number)] == [names[2], names[1]]
    assert [job.id for job in page(status="cancelled")] == [names[1]]


def test_uploads_that_jobs_wait_for_are_known(new_store):
    store = new_store()
    for name in ("a", "b"):
        body = BODY.model_copy(update={"video": f"upload:{name}#t=1,2"})
        job = post(store, body)
    store.cancel(job.id)
    assert store.uploads() == {"upload:a"}


def test_a_name_that_is_none_is_no_job(new_store):
    assert new_store().get("a\0b") is None
