"""Which videos a model can answer about at all, as far as its family knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from framesift.registry import registered_name
from framesift.types.text import shown_address

REAL_MODEL: Final = "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"
"""A small model for real footage, for messages that name one."""
SYNTHETIC: Final = "synthetic://"
"""What the addresses of the only videos that the embedded toy was trained on begin with."""
INSTEAD: Final = f"pass another model, such as {REAL_MODEL} (vlm=, model= or --vlm)"


class Knowledge:
    """What a family of models was trained on."""

    trained_on: ClassVar[str | None] = None
    """What the addresses of the only videos that it was trained on begin with; None for any."""

    denials: ClassVar[frozenset[str]] = frozenset()
    """Whole answers by which it says that something is not in the video."""
    refusals: ClassVar[frozenset[str]] = frozenset()
    """Those of them that leave the question open; "no" answers it."""

    def denies(self, answer: str) -> bool:
        """Returns whether an answer says that something is not there, so that nothing shows it."""
        return _bare(answer) in self.denials

    def leaves_open(self, answer: str) -> bool:
        """Returns whether an answer says that no video shows what was asked."""
        return _bare(answer) in self.refusals

    def limitation(
        self, addresses: Sequence[str] | None = None, *, instead: str = INSTEAD
    ) -> str | None:
        """Returns in one line why answers about these videos mean nothing; None where they may.

        Args:
            addresses: of all videos that are asked about, empty where the question stands alone;
                None for what holds whatever is asked.
            instead: what to do, in the words of the surface that says so.
        """
        known = self.trained_on
        if known is None:
            return None
        line = f"{registered_name(type(self))!r} was trained on {known} videos only"
        if addresses is not None:
            others = [address for address in addresses if not address.lower().startswith(known)]
            if addresses and not others:
                return None
            what = repr(shown_address(others[0])) if others else "text without a video"
            line += f", so its answer about {what} means nothing"
        return f"{line}; {instead}"


def _bare(answer: str) -> str:
    return answer.strip().rstrip(".").casefold()
