"""What tests of batches on a cluster have in common: clips by their length, runs, folders."""

import time

SECONDS = range(6, 14)
"""Length of each clip, unlike those of the others, so that its number of frames names it."""


def ended(run, code):
    """Returns what a run printed, which exits by `code`."""
    printed, said = run.communicate(timeout=400)
    assert run.returncode == code, said + printed
    return printed, said


def when(ready, run):
    """Waits until something holds, while a run goes on."""
    until = time.monotonic() + 300
    while not ready():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def rows_in(out):
    return len(list((out / "rows").rglob("*.json")))


def contents(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
