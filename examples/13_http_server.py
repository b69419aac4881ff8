"""Asks, compresses and picks keyframes over HTTP, as curl would."""

import argparse
import json
import shlex
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import uvicorn

from framesift_server import Settings, create_app


@contextmanager
def server(model: str) -> Iterator[str]:
    """Gives the address of a server in this process; `framesift serve` starts one on its own."""
    app = create_app(Settings(models=(model,), allow_synthetic=True))
    running = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        running.should_exit = True
        thread.join()


def post(url: str, **asked: Any) -> Any:
    """Returns the answer to a request, and prints the command that sends it."""
    body = json.dumps(asked)
    print(f"$ curl -s {url} -H 'Content-Type: application/json' -d {shlex.quote(body)}")
    request = Request(url, body.encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=300) as response:
        return json.load(response)


def main() -> None:
    """Prints three requests with what is worth knowing of their answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://number?seed=3")
    parser.add_argument("--question", default="What number flashes?")
    parser.add_argument("--vlm", default="tiny", help="A name, a hub id or a local folder.")
    options = parser.parse_args()
    video = options.video

    with server(options.vlm) as base:
        answer = post(f"{base}/v1/ask", video=video, question=options.question)
        times = [(part["start_seconds"], part["end_seconds"]) for part in answer["evidence"]]
        print(f"{answer['text']}  at {times} s")

        found = post(f"{base}/v1/compress", video=video, compression_ratio=0.25)
        report, shape = found["report"], found["features"]["shape"]
        print(f"{report['tokens_in']} -> {report['tokens_out']} tokens, features of {shape}")

        frames = post(f"{base}/v1/keyframes", video=video, count=3)["keyframes"]
        print([f"{frame['pts_seconds']:.0f} s" for frame in frames])


if __name__ == "__main__":
    main()
