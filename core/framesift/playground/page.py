"""The page itself: what stands on it, and what its buttons do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import framesift
from framesift.errors import FramesiftError
from framesift.playground.look import Look
from framesift.playground.terms import MOST_KEYFRAMES, Terms
from framesift.playground.visits import Visit, Visits
from framesift.registry import require
from framesift.report.clip import ClipClock
from framesift.run import OnProgress, Progress, throttled
from framesift.types.clock import clock

ONE_ONLY: Final = "none"
"""What is chosen where one strategy is looked at alone."""
_DOES: Final = {
    "download": "Fetching the video",
    "decode": "Decoding it",
    "encode": "Making tokens",
    "plan": "Choosing among them",
    "answer": "Answering",
}
"""What a step of the work does, in words; any other has its own name."""
_WORK: Final = {"concurrency_id": "work", "concurrency_limit": 1, "api_visibility": "private"}


def page(visits: Visits, terms: Terms, about: str) -> Any:
    """Returns the page as `gradio.Blocks`.

    Args:
        visits: who is at it.
        terms: on which it is served.
        about: what the model is, in a sentence for the person at the page.
    """
    gr = require("gradio", extra="play")
    desk = _Desk(visits, terms)
    with gr.Blocks(title="framesift play", analytics_enabled=False) as blocks:
        gr.HTML(f"<h1>framesift play</h1><p>{escape(about)}</p>", elem_id="model")
        with gr.Row():
            with gr.Column(scale=1):
                link, file = _video(gr, terms)
                first, second = _strategies(gr)
                keep = gr.Slider(
                    terms.least_keep,
                    1,
                    max(0.25, terms.least_keep),
                    step=0.01,
                    label="Share of the tokens kept",
                )
                fps = gr.Slider(0.1, 10, 1, step=0.1, label="Frames read per second")
                with gr.Row():
                    count = gr.Slider(1, MOST_KEYFRAMES, 6, step=1, label="Keyframes")
                    price = gr.Number(3, label="Price of a million tokens in $", minimum=0)
                run = gr.Button("Show what is kept", variant="primary", elem_id="run")
            with gr.Column(scale=1):
                clip = gr.HTML(elem_id="clip")
                question = gr.Textbox(
                    label="Question", placeholder="What number flashes?", elem_id="question"
                )
                ask = gr.Button("Ask", elem_id="ask")
                lines = gr.HTML(elem_id="lines")
        problem = gr.HTML(elem_id="problem")
        answers = _beside(gr, "answer")
        looks = _beside(gr, "look")
        with gr.Accordion("Copy as Python, CLI or curl", open=False):
            shell = {"language": "shell", "buttons": ["copy"]}
            copied = [
                gr.Code(label="Python", language="python", buttons=["copy"], elem_id="python"),
                gr.Code(label="CLI", elem_id="cli", **shell),
                gr.Code(label="curl, to framesift serve", elem_id="curl", **shell),
            ]
        given = [link, file, first, second, keep, fps, count, price, question]
        shown = [problem, clip, lines, *looks, *answers, *copied]
        run.click(_of_session(gr, desk.shown), given, shown, **_WORK)
        ask.click(_of_session(gr, desk.answered), given, shown, **_WORK)
        question.submit(_of_session(gr, desk.answered), given, shown, **_WORK)
        blocks.unload(_leaving(gr, visits))
    return blocks.queue(max_size=terms.queue)


def _video(gr: Any, terms: Terms) -> list[Any]:
    """Returns what names a video, and what takes a file or always has none."""
    label = "Link to a video or its page"
    link = gr.Textbox(terms.start, label=label, elem_id="link")
    if terms.takes_files:
        return [link, gr.File(label="or drop a file", file_types=["video"], elem_id="file")]
    return [link, gr.State(None)]


def _strategies(gr: Any) -> list[Any]:
    """Returns what chooses a strategy, and one beside it; both take specs with options, too."""
    names = sorted(framesift.strategies.registry.names())
    custom = {"allow_custom_value": True}
    with gr.Row():
        first = gr.Dropdown(names, value="temporal", label="Strategy", **custom)
        second = gr.Dropdown([ONE_ONLY, *names], value="uniform", label="beside it", **custom)
        return [first, second]


def _beside(gr: Any, name: str) -> list[Any]:
    """Returns two pieces of the page that stand side by side."""
    with gr.Row():
        return [gr.HTML(elem_id=f"{name}-{number}", min_width=420) for number in (1, 2)]


def _of_session(gr: Any, act: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """Returns `act` as gradio calls it, which finds by an annotation who wants the request.

    What the work does is shown meanwhile, which gradio wants to be asked for by a default.
    """

    async def called(request: Any, progress: Any = gr.Progress(), *given: Any) -> Any:  # noqa: B008
        def show(step: Progress) -> None:
            done = int(step.done), None if step.total is None else int(step.total)
            progress(done, desc=_DOES.get(step.stage, step.stage), unit=step.unit)

        return await act(request.session_hash, throttled(show), *given)

    called.__annotations__ = {"request": gr.Request}
    return called


def _leaving(gr: Any, visits: Visits) -> Callable[..., None]:
    """Returns what gradio calls where a person leaves."""

    def left(request: Any) -> None:
        visits.end(request.session_hash)

    left.__annotations__ = {"request": gr.Request}
    return left


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the buttons do."""

    visits: Visits
    terms: Terms

    async def shown(self, session: str, report: OnProgress, *given: Any) -> list[Any]:
        """Returns all pieces of the page for what is set, without an answer."""
        return await self._tried(session, report, given, asks=False)

    async def answered(self, session: str, report: OnProgress, *given: Any) -> list[Any]:
        """Returns all pieces of the page for what is set, with the answer to the question."""
        return await self._tried(session, report, given, asks=True)

    async def _tried(
        self, session: str, report: OnProgress, given: Sequence[Any], *, asks: bool
    ) -> list[Any]:
        """Returns all pieces of the page, or what went wrong and none."""

        def work() -> list[Any]:
            with self.visits.at(session) as visit:
                return self._pieces(visit, *given, asks=asks)

        try:
            pieces: list[Any] = await self.terms.run(work, report)
        except (FramesiftError, OSError) as error:
            return [_problem(error, given[1]), *[""] * (_PIECES - 1)]
        return pieces

    def _pieces(
        self,
        visit: Visit,
        link: str,
        file: str | None,
        first: str,
        second: str,
        keep: float,
        fps: float,
        count: float,
        price: float | None,
        question: str,
        *,
        asks: bool,
    ) -> list[Any]:
        terms, written = self.terms, (question or "").strip() or None
        settings = [
            terms.setting(strategy=name, keep=keep, fps=fps, count=count)
            for name in (first or "", *([second] if second and second != ONE_ONLY else []))
        ]
        local, vlm = visit.open(_source(visit, link, file)), terms.load()
        settings = [each.for_question(written, vlm) for each in settings]
        looks = [visit.look(setting, vlm) for setting in settings]
        answers = [look.answer_html(local, written or "") for look in looks] if asks else []
        asked = written if asks else None
        address, dropped = (link.strip(), False) if file is None else (Path(file).name, True)
        uploaded = dropped or address in terms.files
        return [
            "",
            _clip(visit, local, looks[0]),
            _lines(looks[0], local),
            *_two([look.html(price or 0) for look in looks]),
            *_two(answers),
            settings[0].as_python(address, terms.vlm, asked),
            settings[0].as_command(address, terms.vlm, asked),
            settings[0].as_curl(address, asked, uploaded=uploaded),
        ]


def _source(visit: Visit, link: str, file: str | None) -> str | Path:
    if file is None:
        return link.strip()
    visit.uploads.add(Path(file))
    return Path(file)


_PIECES: Final = 10
"""Of the page: the problem, the clip, the lines, two looks, two answers, three texts to copy."""


def _two(pieces: list[str]) -> list[str]:
    return [*pieces, "", ""][:2]


def _problem(error: Exception, file: str | None) -> str:
    """Returns what went wrong in one line, without the folder that a dropped file lies in."""
    line = " ".join(str(error).split())
    if file is not None:
        line = line.replace(f"{Path(file).parent}/", "")
    return f'<p role="alert">{escape(line)}</p>'


def _clip(visit: Visit, local: framesift.LocalVideo, look: Look) -> str:
    clock = ClipClock.of(local, look.video.report.duration_seconds)
    until = "" if clock.until_seconds is None else f' data-until="{clock.until_seconds}"'
    return (
        f'<video class="clip" controls preload="metadata" aria-label="The clip" '
        f'src="clip/{visit.token}" data-zero="{clock.zero_seconds}" '
        f'data-length="{clock.length_seconds}"{until}></video>'
        '<p class="broken" hidden>This browser cannot play the file; the pictures are what '
        "framesift read.</p>"
    )


def _lines(look: Look, local: framesift.LocalVideo) -> str:
    """Returns the transcript, whose times play the clip."""
    lines = [
        f'<li><button type="button" class="time" data-seconds="{line.start_seconds}">'
        f"{clock(line.start_seconds)}</button> {escape(line.text)}</li>"
        for line in look.sift.transcript(local).lines
    ]
    heading = "<h2>Transcript</h2>"
    return f"{heading}<ol>{''.join(lines)}</ol>" if lines else f"{heading}<p>No subtitles.</p>"
