"""A server on 127.0.0.1 that answers chat completions as a test says."""

import json
import math
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer(ThreadingHTTPServer):
    """Keeps what it was asked; `answer` makes of each request a status, headers and a body."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answer):
        self.answer = answer
        self.asked, self.headers = [], []
        self.in_flight, self.most_in_flight = 0, 0
        self.guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Page)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request, client_address):
        """A client that hangs up is part of these tests."""


class _Page(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body)
        with server.guard:
            server.asked.append(request)
            server.headers.append((self.path, dict(self.headers)))
            server.in_flight += 1
            server.most_in_flight = max(server.most_in_flight, server.in_flight)
        try:
            status, headers, content = server.answer(request)
        finally:
            with server.guard:
                server.in_flight -= 1
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def chat_server(answer):
    """Gives a server that runs in a thread."""
    with ChatServer(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def said(text, tokens=None, usage=(100, 10)):
    """Returns the answer of a model that says a text.

    Args:
        text: its words.
        tokens: pairs of a token and the probabilities of what may stand there, where it tells.
        usage: tokens of prompt and answer; None for a server that does not count.
    """
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    if tokens is not None:
        choice["logprobs"] = {"content": [_token(*pair) for pair in tokens]}
    reply = {"choices": [choice]}
    if usage is not None:
        reply["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return 200, {"Content-Type": "application/json"}, json.dumps(reply).encode()


def failed(status, message="", **headers):
    """Returns the answer of a server that refuses."""
    body = json.dumps({"error": {"message": message}}) if message else ""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, body.encode()


def _token(text, shares):
    logs = [{"token": token, "logprob": math.log(share)} for token, share in shares.items()]
    own = math.log(shares.get(text, 1.0))
    return {"token": text, "logprob": own, "top_logprobs": logs}
