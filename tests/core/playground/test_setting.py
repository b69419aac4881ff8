import shlex
import subprocess
import sys

import pytest

from framesift import cli
from framesift.errors import FramesiftError
from framesift.playground.setting import Setting

SETTING = Setting(strategy="uniform", keep=0.5, fps=1.0, count=2, question="What number flashes?")
CLIP = "synthetic://number?seed=3"


def test_copied_python_runs():
    program = SETTING.as_python(CLIP, "tiny")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "512 -> 256 tokens"
    assert len(lines) == 4  # two keyframes and the answer


@pytest.mark.slow
def test_copied_commands_run():
    text = SETTING.as_command(CLIP, "tiny")
    printed = ""
    for line in text.splitlines():
        command = shlex.split(line)
        assert command[0] == "framesift"
        run = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, check=True
        )
        printed += run.stdout
    assert "512 -> 256" in printed
    assert printed.count(" s  0.") >= 2


@pytest.mark.parametrize("strategy", ["nonsense", ""])
def test_a_wrong_strategy_is_one_line(strategy):
    with pytest.raises(FramesiftError, match=f"'{strategy}'") as error:
        Setting(strategy=strategy, keep=0.5, fps=1.0, count=2).sift("tiny")
    assert "\n" not in str(error.value)


def test_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr(sys, "argv", ["framesift", "play", "--no-browser", "--port", "0"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "framesift: 'gradio' is not installed; run: pip install 'framesift[play]'\n"
    )
