"""The page on a port of this machine: who may reach it, the clip that it plays, and its end."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

from framesift.disk import temporary
from framesift.playground.look import TEMPLATES
from framesift.playground.page import page
from framesift.playground.terms import HOST, Terms
from framesift.playground.visits import Visits
from framesift.registry import require

PAGES: Final = ("", "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json")
USED: Final = (
    *("/clip/", "/assets/", "/static/", "/gradio_api/startup-events", "/gradio_api/heartbeat/"),
    *("/gradio_api/queue/join", "/gradio_api/queue/data"),
)
"""How paths begin that the page asks for; gradio has many more, which read and fetch files."""
TO_DROP: Final = ("/gradio_api/upload",)
POLICY: Final = (
    "default-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; frame-ancestors 'none'"
)
"""What browsers may load for the page: nothing of any other host."""
CONTRAST: Final = {
    "body_text_color_subdued": "*neutral_500",
    "button_primary_background_fill": "*primary_600",
}
"""Colours of the theme that are too pale to be read otherwise."""
TINY: Final = (
    "The model is the tiny one that comes with framesift: it works offline, was trained on made-up "
    "clips (synthetic://...) only, and what it answers about real footage means nothing. What is "
    "kept of a video is real; another model knows videos."
)


@contextmanager
def application(terms: Terms | None = None) -> Iterator[Any]:
    """Yields the page as a `fastapi.FastAPI`, which may be mounted; all it held goes at the end.

    Whoever mounts it enters its lifespan.

    Args:
        terms: on which it is served; by default those of the command.

    Raises:
        MissingDependencyError: gradio is not installed.
    """
    terms = terms or Terms.local()
    with _gradio_folder():
        gr = require("gradio", extra="play")
        visits = Visits(terms.open, most=terms.most_visits)
        about = f"The model is {terms.vlm}; its own tower makes the tokens."
        try:
            blocks = page(visits, terms, TINY if terms.vlm == "tiny" else about)
            yield _served(gr, blocks, visits, terms)
        finally:
            visits.end_all()


def check_installed() -> None:
    """Checks that the page can be made.

    Raises:
        MissingDependencyError: gradio is not installed.
    """
    if find_spec("gradio") is None:  # not imported yet: it keeps the folder of that moment
        require("gradio", extra="play")


@contextmanager
def _gradio_folder() -> Iterator[None]:
    """Gives gradio a folder of ours for what is dropped, and leaves neither it nor a variable."""
    folder = temporary.new_folder()
    # Gradio reads both when it is imported and when a page is made.
    ours = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(folder)}
    before = {name: os.environ.get(name) for name in ours}
    os.environ |= ours
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ |= {} if value is None else {name: value}
        temporary.remove(folder)


def _served(gr: Any, blocks: Any, visits: Visits, terms: Terms) -> Any:
    from fastapi import FastAPI, Request
    from fastapi.responses import FileResponse, PlainTextResponse, Response

    app = FastAPI(openapi_url=None, max_body_size=terms.max_body_bytes)
    used = (*USED, *(TO_DROP if terms.takes_files else ()))

    async def guarded(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        named = request.headers.get("host"), request.headers.get("origin")
        if refused := terms.hosts.refusal(*named):
            return PlainTextResponse(refused[1], refused[0])
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        if path not in PAGES and not path.startswith(used):
            return PlainTextResponse("the page has nothing here", 404)
        if not terms.takes_files and request.method == "POST" and not plain(await request.body()):
            return PlainTextResponse("the page takes text and numbers alone", 422)
        answer = await call(request)
        answer.headers["Content-Security-Policy"] = POLICY
        return answer

    def clip(token: str) -> Response:
        path = visits.clip(token)
        if path is None:
            return PlainTextResponse("no clip is open here; show it again", 404)
        return FileResponse(path)

    app.middleware("http")(guarded)
    app.add_api_route("/clip/{token}", clip, response_model=None)
    environment = _environment()
    sans, mono = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        ssr_mode=False,
        run_history=False,
        theme=gr.themes.Base(font=sans, font_mono=mono).set(**CONTRAST),
        css="\n".join(environment[name] for name in ("figures.css", "play.css")),
        head=f"<script>{environment['clip.js']}{environment['play.js']}</script>",
    )


def _environment() -> dict[str, str]:
    """Returns the style and the script of the page by name."""
    from jinja2 import Environment

    from framesift.report.environment import FIGURES

    own = Environment(autoescape=True)
    texts = {name: TEMPLATES.get_source(own, name)[0] for name in ("play.css", "play.js")}
    figures, clip = (FIGURES.get_source(own, name)[0] for name in ("figures.css", "clip.js"))
    return {**texts, "clip.js": clip, "figures.css": f".figures {{\n{figures}\n}}"}


def plain(body: bytes) -> bool:
    """Returns whether a request to gradio holds text and numbers alone.

    Gradio copies what an object names as a file or as an address, in the place of any value.
    """
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(members, dict) or not isinstance(members.get("data"), list):
        return False
    values = (*members["data"], *(members[name] for name in members if name != "data"))
    return all(value is None or isinstance(value, str | int | float) for value in values)


def listening(port: int) -> socket.socket:
    """Returns a socket that listens on a port of this machine; 0 takes any that is free.

    Raises:
        OSError: the port is taken.
    """
    return socket.create_server((HOST, port))


def serve(app: Any, listener: socket.socket) -> None:
    """Serves the page until the process is told to end."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])
