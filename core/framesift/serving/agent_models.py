"""What works for the tools of an agent: one model, and compressors as calls name their parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import framesift
from framesift.errors import InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.serving.lines import TOY, check_knowledge, toy_limitation
from framesift.serving.request_specs import check_request_spec
from framesift.sources.base import open_video
from framesift.types.budget import Budget
from framesift.types.video import LocalVideo

if TYPE_CHECKING:  # torch is imported with the first call, so that clients connect at once
    from framesift import Assistant, Moment, VideoCompressor

FREE_READERS: Final = ("subtitles", "screen")
"""Readers that any call may name: they load nothing from elsewhere."""


class AgentModels:
    """One model, and the parts that calls may name beside those that load nothing."""

    def __init__(
        self,
        vlm: str | None,
        options: dict[str, Any],
        *,
        selectors: Sequence[str] = (),
        readers: Sequence[str] = (),
        text_folder: Path | None = None,
        instead: str,
    ) -> None:
        """Takes what answers, and what calls may name.

        Args:
            vlm: a name, a hub id or a folder; loaded when it is first needed. None for the embedded
                toy, which is asked about synthetic videos only.
            options: of `VideoCompressor`, `keep` and `strategy` among them.
            selectors: specs that calls may name although they read files or models.
            readers: the same of readers of text.
            text_folder: where what was read of videos is kept.
            instead: what to do where the toy cannot answer, in the words of the surface.

        Raises:
            BudgetError: nothing may be kept.
        """
        Budget(keep=options["keep"])
        self.limits: Final = FetchLimits.untrusted()
        self.limit: Final = None if vlm else toy_limitation(instead)
        """What cannot be asked since no model was named; None where one was."""
        self.strategy: Final[str] = options["strategy"]
        self._options = {"vlm": vlm or TOY, **options}
        self._reads: Any = {"limits": self.limits, "text_folder": text_folder}
        self._selectors, self._readers = tuple(selectors), tuple(readers)
        self._instead = instead

    @property
    def names(self) -> dict[str, list[str]]:
        """The names that calls may give: of a `strategy`, of a `selector`, and of what reads."""
        strategies = [self.strategy, *framesift.strategies.registry.names()]
        return {
            "strategy": list(dict.fromkeys(strategies)),
            "selector": [*framesift.selectors.registry.names(), *self._selectors],
            "text": [*FREE_READERS, *self._readers],
        }

    @cached_property
    def assistant(self) -> Assistant:
        """What answers; the first use loads the model."""
        return framesift.Assistant(framesift.VideoCompressor(**self._options, **self._reads))

    @contextmanager
    def local(
        self, video: str | LocalVideo, site: SiteOptions | None = None
    ) -> Iterator[LocalVideo]:
        """Gives a video on this machine, and closes it."""
        opened = video
        if not isinstance(opened, LocalVideo):
            opened = open_video(opened, self.limits, site=site or SiteOptions())
        with opened:
            yield opened

    def answering(self, video: str) -> Assistant:
        """Returns what answers about a video.

        Raises:
            InvalidOptionError: no model was named, and the video is not synthetic.
        """
        if self.limit:
            check_knowledge(self.assistant.compressor.answering_vlm, video, self._instead)
        return self.assistant

    def choosing(self, selector: str, **options: Any) -> VideoCompressor:
        """Returns a compressor of the same model that picks frames by the selector of a call.

        Raises:
            ForbiddenAddressError: it, or a strategy, reads what nobody has allowed.
        """
        self.check_selector(selector)
        if "strategy" in options:
            check_request_spec("strategies", options["strategy"], (self.strategy,))
        base = self.assistant.compressor
        return replace(base, vlm=base.answering_vlm, selector=selector, **options)

    def reading(self, readers: tuple[str, ...]) -> VideoCompressor:
        """Returns what reads text, which needs no model that answers."""
        return framesift.VideoCompressor(text=readers, **self._reads)

    def found(
        self,
        video: str,
        opened: str | LocalVideo,
        query: str,
        count: int,
        readers: tuple[str, ...],
        **how: Any,
    ) -> list[Moment]:
        """Returns the moments of a query; without a model for its pictures, those of its text.

        Args:
            video: as it was named.
            opened: the same, opened where it is a file.
            query: what to look for.
            count: most moments.
            readers: what reads the text.
            how: options of `VideoCompressor.find_text`, `warn` among them.
        """
        try:
            assistant = self.answering(video)
        except InvalidOptionError as error:
            moments = self.reading(readers).find_text(opened, query, count, **how)
            if not moments:
                names = " and ".join(readers) or "nothing"
                how["warn"](f"the text that {names} found was searched, not the pictures: {error}")
            return moments
        return assistant.find(opened, query, count, text=readers, **how)

    def check_selector(self, selector: str) -> None:
        """Refuses a selector that reads files or models that nobody has allowed.

        Raises:
            ForbiddenAddressError: it does.
        """
        check_request_spec("selectors", selector, self._selectors)

    def readers(self, text: str | Sequence[str]) -> tuple[str, ...]:
        """Returns the readers of text that a call names.

        Raises:
            ForbiddenAddressError: one reads a model that nobody has allowed.
        """
        named = (text,) if isinstance(text, str) else tuple(text)
        for reader in named:
            check_request_spec("readers", reader, self._readers)
        return named


def with_names(schema: Any, names: Sequence[str]) -> Any:
    """Returns a JSON schema whose texts are one of these names, or a spec string with options."""
    if isinstance(schema, list):
        return [with_names(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "string":
        return {**schema, "anyOf": [{"enum": list(names)}, {"pattern": "^[a-z0-9-]+[:|]"}]}
    return {key: with_names(value, names) for key, value in schema.items()}
