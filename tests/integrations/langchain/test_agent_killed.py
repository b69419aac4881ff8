"""An agent that is killed goes on where its checkpoints end, in another process."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("langchain.agents")
pytest.importorskip("langgraph.checkpoint.sqlite")

import framesift

PROGRAM = Path(__file__).with_name("agent_process.py")
TURN = ["human", "ai", "tool", "ai"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_an_agent_is_killed_resumes_and_answers_about_two_videos(tmp_path):
    program = [sys.executable, str(PROGRAM), str(tmp_path)]
    with subprocess.Popen([*program, "start"], stdout=subprocess.PIPE, text=True) as process:
        try:
            first, waiting = (process.stdout.readline() for _ in range(2))
        finally:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert waiting == "waiting\n"
    looked = json.loads(first)
    assert looked["messages"] == TURN
    assert "visual tokens were reduced" in looked["answer"]
    assert looked["pictures"] >= 1

    resumed = subprocess.run([*program, "resume"], capture_output=True, text=True, check=True)
    second, third = map(json.loads, resumed.stdout.splitlines())
    # The tool had answered before the end, so it is not called again.
    assert second["messages"] == TURN * 2
    expected = framesift.VideoCompressor(vlm="tiny").ask(
        "synthetic://number?seed=3", "What number flashes?", evidence="attention"
    )
    assert second["answer"].startswith(expected.text)
    assert second["pictures"] == looked["pictures"]
    assert third["messages"] == TURN * 3
    assert "9.0 s of video" in third["answer"]
    assert third["pictures"] > second["pictures"]
    assert (tmp_path / "agent.sqlite").stat().st_size < 300_000
