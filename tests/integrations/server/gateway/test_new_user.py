"""What a new user does: one command, and a client that is pointed at what it says."""

import base64
import os
import subprocess
import sys

import openai
import pytest

from engine_doubles import Vllm


@pytest.fixture
def command(tmp_path):
    """Starts a gateway by the command line; returns its output, line by line."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "framesift", "gateway", "--port", "0", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        )
        started.append(process)
        return process.stderr

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=60)


def address_in(lines):
    """Returns the address that clients are to be pointed at."""
    line = next(line for line in lines if "Point clients of OpenAI at " in line)
    return line.partition("Point clients of OpenAI at ")[2].partition(";")[0]


@pytest.mark.slow
def test_from_the_command_to_an_answer(started, command, tmp_path, write_video):
    engine = started(Vllm())
    base_url = address_in(command("--upstream", engine.address))
    path = write_video(tmp_path / "a.mp4", 40, fps=1)
    address = f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"
    video = {"type": "video_url", "video_url": {"url": address}}
    messages = [{"role": "user", "content": [video, {"type": "text", "text": "What is it?"}]}]
    with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        answer = client.chat.completions.create(model="double", messages=messages)
    told = answer.usage.framesift
    assert answer.choices[0].message.content == "It is red."
    assert told["visual_tokens_before"] > told["visual_tokens_after"] > 0
    assert len(engine.seen[0]["sizes"]) == told["frames_after"] == 16


@pytest.mark.slow
def test_an_upstream_that_is_not_there_yet_is_told_at_the_start(command):
    lines = command("--upstream", "http://127.0.0.1:9/v1")
    line = next(line for line in lines if "nothing answers" in line)
    assert line == "nothing answers at http://127.0.0.1:9/v1 yet; until it does, requests are 502\n"
