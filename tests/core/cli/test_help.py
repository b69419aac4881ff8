"""What the command line says of itself, and what shells are told."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import framesift
from framesift.cli.commands import app
from framesift.cli.groups import EXIT_CODES, SECTIONS

PAGE = Path(__file__).parents[3] / "docs" / "command-line.md"
AS_INSTALLED = ("import sys; sys.argv[0] = 'framesift'; from framesift.cli import main; main()",)


def installed(*arguments, **environment):
    """Runs the command as its script does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", *AS_INSTALLED, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def words(text):
    return " ".join(text.replace("-\n", "-").split())


@pytest.mark.parametrize("group", [(), ("bench",), ("train",)], ids=" ".join)
def test_summaries_are_whole(group):
    shown = CliRunner().invoke(app, [*group, "--help"]).stdout
    command = app
    for name in group:
        command = command.commands[name]
    for name, inner in command.commands.items():
        summary = words(inner.help.partition("\n\n")[0]).partition(". ")[0]
        assert f"{name} {summary}" in words(re.sub(r"-\n +", "-", shown))
    assert "..." not in shown.partition("[ARGS]...")[2]


def test_every_command_stands_under_what_it_is_for():
    shown = CliRunner().invoke(app, ["--help"]).stdout
    headings = re.findall(r"^(\S.*):$", shown, re.MULTILINE)
    assert headings == ["Options", *SECTIONS, "Exit codes"]


def test_the_version_is_that_of_the_package():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"{framesift.__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_what_the_page_says(shell):
    assert f"_FRAMESIFT_COMPLETE={shell}_source framesift" in PAGE.read_text()
    if shell == "bash" and not Path("/bin/bash").exists():
        pytest.skip("click asks bash for its version")
    made = installed(_FRAMESIFT_COMPLETE=f"{shell}_source")
    assert made.returncode == 0
    assert f"{shell}_complete" in made.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("framesift key", {"keyframes"}),
        ("framesift bench cur", {"curves"}),
        ("framesift compress --kee", {"--keep"}),
        ("framesift gat", {"gateway"}),
        ("framesift compress --strategy temp", {"temporal"}),
        ("framesift bench answers --strategy temp", {"temporal"}),
        ("framesift keyframes talk.mp4 --decoder p", {"pyav"}),
        ("framesift ask talk.mp4 --vlm /models/mine", {"/models/mine"}),
    ],
)
def test_a_shell_is_offered_commands_options_and_parts(typed, offered):
    made = installed(
        _FRAMESIFT_COMPLETE="bash_complete",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(typed.split()) - 1),
    )
    assert {line.partition(",")[2] for line in made.stdout.splitlines()} == offered


def test_the_page_has_the_exit_codes():
    rows = re.findall(r"^\| `(\d+)` \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == EXIT_CODES


@pytest.mark.slow
def test_done_and_bad_input_have_their_codes():
    assert installed("strategies", "--json").returncode == 0
    failed = installed("strategies", "--jso")
    assert (failed.returncode, failed.stdout) == (2, "")


def test_a_fault_has_code_one_and_a_traceback():
    fault = "import framesift.cli.output as o; del o.show_parts; "
    made = subprocess.run(
        [sys.executable, "-c", fault + AS_INSTALLED[0], "strategies"],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 1
    assert made.stderr.startswith("Traceback")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.slow
def test_sigterm_has_its_code_and_leaves_nothing(tmp_path):
    work = subprocess.Popen(
        [sys.executable, "-m", "framesift", "compress", "synthetic://mixed?seconds=600"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.1)
    work.send_signal(signal.SIGTERM)
    _, err = work.communicate(timeout=60)
    assert work.returncode in (143, -signal.SIGTERM)
    assert err.strip().splitlines()[-1] == "framesift: terminated"
    assert list(tmp_path.rglob("*.mp4")) == []
