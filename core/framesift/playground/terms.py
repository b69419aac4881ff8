"""On which terms a page is served: its model, what may be opened, and what work may cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Self

from anyio import to_thread

import framesift
from framesift.errors import BudgetError, InvalidOptionError
from framesift.playground.setting import Setting
from framesift.run import OnProgress, on_progress
from framesift.serving.hosts import KnownHosts
from framesift.serving.request_specs import check_request_spec
from framesift.vlms.base import VLM

HOST: Final = "127.0.0.1"
EXAMPLE: Final = "synthetic://number?seed=3"
MOST_KEYFRAMES: Final = 24


async def in_a_thread(work: Callable[[], Any], report: OnProgress) -> Any:
    """Returns what `work` gives, and reports each step of it."""

    def reported() -> Any:
        with on_progress(report):
            return work()

    return await to_thread.run_sync(reported)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What whoever serves the page decides."""

    vlm: str
    """The name of the model, for what is told and copied."""
    load: Callable[[], VLM]
    """Returns the model."""
    open: Callable[[str | Path], framesift.LocalVideo]
    """Opens the video that a person has named or, as a path, dropped; or refuses to."""
    run: Callable[[Callable[[], Any], OnProgress], Awaitable[Any]] = in_a_thread
    """Does a piece of work in a thread, and reports its steps; what it raises of `FramesiftError`
    and `OSError` is shown."""
    hosts: KnownHosts = KnownHosts.of(HOST)  # noqa: RUF009
    """Names by which the page is reached."""
    start: str = EXAMPLE
    """What is opened where nothing is dropped and no link given."""
    files: frozenset[str] = frozenset()
    """Of what may be opened, names of files of this machine."""
    takes_files: bool = True
    """Whether files may be dropped; there is no bound of how many."""
    strangers: bool = False
    """Whether strategies may name no file, folder, hub id or address, as in requests."""
    strategies: tuple[str, ...] = ()
    """Those that strangers may name all the same."""
    max_frames: int | None = None
    """Frames encoded of one video at most."""
    least_keep: float = 0.01
    """Least share of the tokens that may be kept."""
    queue: int | None = None
    """How many may wait; None for any number."""
    most_visits: int = 16
    """How many people have a video open; one more closes that of who was away for longest."""
    max_body_bytes: int | None = None
    """Largest body of a request; None for any."""

    @classmethod
    def local(cls, vlm: str = "tiny", video: str | None = None, *, is_file: bool = False) -> Self:
        """Returns the terms of the command, whose page is reached from this machine alone.

        Args:
            vlm: the model that makes the tokens and answers.
            video: what is opened at first.
            is_file: whether that is a file of this machine, which nothing else that is named is.
        """
        files = frozenset({video} if video and is_file else ())
        untrusted = framesift.FetchLimits.untrusted()

        def opened(source: str | Path) -> framesift.LocalVideo:
            if source not in files:
                if isinstance(source, str) and source.partition(":")[0] in (source, "file"):
                    raise InvalidOptionError(
                        f"{source!r} is no link; drop the file here, start `framesift play FILE`, "
                        "or paste a link that begins with http:// or https://"
                    )
                return framesift.open_video(source, untrusted)
            return framesift.open_video(Path(source) if Path(source).is_file() else source)

        load = cache(partial(framesift.load_vlm, vlm))
        return cls(vlm=vlm, load=load, open=opened, files=files, start=video or EXAMPLE)

    def setting(self, *, strategy: str, keep: float, fps: float, count: float) -> Setting:
        """Returns the setting of a look.

        Raises:
            FramesiftError: these terms do not allow it.
        """
        if self.strangers:
            check_request_spec("strategies", strategy, self.strategies)
        if keep < self.least_keep:
            raise BudgetError(
                f"keep={keep:g} is below {self.least_keep:g}, the least that is allowed here"
            )
        if not 1 <= count <= MOST_KEYFRAMES:
            raise InvalidOptionError(
                f"{count:g} keyframes are not shown; give from 1 to {MOST_KEYFRAMES}"
            )
        return Setting(
            strategy=strategy, keep=keep, fps=fps, count=int(count), max_frames=self.max_frames
        )
