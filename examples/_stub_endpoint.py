"""Stands for an OpenAI-compatible endpoint, so that an example runs without one."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


def stub_endpoint(video: str, query: str) -> str:
    """Returns the address of an endpoint on loopback that calls a tool and then tells what it saw.

    Args:
        video: what it calls `find_in_video` for.
        query: what it looks for there.
    """

    class Stub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = _reply(asked["messages"], {"video": video, "query": query})
            body = json.dumps({"choices": [{"message": said}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Says nothing, since what the example prints is enough."""

    server = HTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


def _reply(messages: list[Any], arguments: dict[str, str]) -> dict[str, Any]:
    """Returns a call of the tool, or what came back from it."""
    last = messages[-1]["content"]
    if messages[-1]["role"] == "tool":  # No pictures followed, so nothing was found.
        return {"role": "assistant", "content": f"The tool says: {last}."}
    if isinstance(last, str):
        function = {"name": "find_in_video", "arguments": json.dumps(arguments)}
        call = {"id": "call_1", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    times = [part["text"] for part in last if part["type"] == "text"][:-1]
    pictures = sum(part["type"] == "image_url" for part in last)
    said = f"A real endpoint would look now; the stub was shown {pictures} of {' '.join(times)}."
    return {"role": "assistant", "content": said}
