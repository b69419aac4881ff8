"""Help and versions come at once: what is heavy is imported by the command that needs it."""

import os
import subprocess
import sys

import pytest

from framesift.cli.commands import app

HEAVY = {"torch", "numpy", "PIL", "av", "cv2", "transformers", "matplotlib", "scipy", "benchmarks"}
MOST_CPU_SECONDS = 1.0
"""About six times what it takes, since other machines are slower; torch alone takes more."""


def command_lines(command, *names):
    """Yields the names that lead to each command, groups included."""
    yield list(names)
    for name, inner in getattr(command, "commands", {}).items():
        yield from command_lines(inner, *names, name)


# Help of these is that of another distribution, which is imported for it.
LINES = [names for names in command_lines(app) if names not in (["serve"], ["gateway"])]


def cpu_seconds(*arguments):
    before = os.times()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def test_no_help_imports_what_is_heavy():
    code = (
        "import sys\n"
        "from framesift.cli.commands import app\n"
        f"for names in {LINES!r}:\n"
        "    app([*names, '--help'], prog_name='framesift', standalone_mode=False)\n"
        "print('loaded', *sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    helps, _, loaded = out.stdout.rpartition("loaded")
    assert helps.count("Usage: framesift") == len(LINES) >= 17
    assert not HEAVY & set(loaded.split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_take_little_time_of_the_cpu(option):
    assert min(cpu_seconds("-m", "framesift", option) for _ in range(3)) < MOST_CPU_SECONDS
