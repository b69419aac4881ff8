"""The scorer contract: candidate frames and a question in, what each frame is worth out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError, SelectionError
from framesift.registry import Part
from framesift.run import report_progress
from framesift.scorers import registry
from framesift.scorers.candidates import Candidates
from framesift.types.options import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What some frames are worth, and why."""

    values: Tensor
    """Float32 `(K,)` on the CPU, finite; more is better."""
    reasons: tuple[str, ...]
    """A line about each frame for a reader, such as `"similarity 0.31 to the question"`."""


@dataclass(frozen=True, kw_only=True)
class Scorer(Part):
    """Tells what each candidate frame is worth; a selector's rule then picks among them."""

    reads_question: ClassVar[bool] = True
    """Whether it compares frames with a question, and cannot do without one."""
    compares_all: ClassVar[bool] = False
    """Whether it must see all candidates at once, and cannot rate a few of them."""

    @classmethod
    def facts(cls) -> dict[str, Any]:
        """Returns what listings say of the scorer, with what it needs."""
        return {
            **super().facts(),
            "reads_question": cls.reads_question,
            "compares_all": cls.compares_all,
        }

    def check_question(self, question: object) -> str:
        """Returns the question, or `""` where the scorer reads none.

        Raises:
            InvalidOptionError: it needs one, and what was given is none.
        """
        if not self.reads_question:
            return ""
        if isinstance(question, str) and question.strip():
            return question
        free = [name for name in registry.names() if not registry.get(name).reads_question]
        given = "there is none" if question is None else f"question={shown(question)} is none"
        raise InvalidOptionError(
            f"scorer {self.spec!r} compares frames with a question, and {given}; pass a question, "
            f"a scorer that needs none ({', '.join(free)}), or a selector without a scorer, such "
            "as 'keyframes' or 'uniform'"
        )

    def score(
        self,
        candidates: Candidates,
        question: str | None = None,
        places: Sequence[int] | None = None,
    ) -> Scores:
        """Returns what candidates are worth.

        Args:
            candidates: the frames.
            question: what they should help to answer.
            places: only these of them, ascending; None for all.

        Raises:
            InvalidOptionError: the scorer needs a question, or cannot rate some frames alone.
            SelectionError: what it gives are not finite numbers, one a frame.
        """
        question = self.check_question(question)
        if places is not None and self.compares_all:
            raise InvalidOptionError(
                f"scorer {self.spec!r} compares all frames with one another, so that it cannot "
                "rate a few of them; take a rule that rates all of them, such as 'topk' or 'nms'"
            )
        chosen = range(len(candidates)) if places is None else places
        # Noted here, since any selector may ask any scorer, one that its options do not name too.
        line = self.limitation(candidates.uri)
        if line is not None and line not in candidates.warnings:
            candidates.warnings.append(line)
        scores = self.rate(candidates, question, chosen)
        report_progress("select", len(chosen), len(chosen))  # one long batch may outlast a limit
        if not isinstance(scores, Scores):
            raise SelectionError(f"scorer {self.spec!r} gave {shown(scores)} instead of Scores")
        values = _numbers(scores.values)
        if values is None:
            raise SelectionError(
                f"scorer {self.spec!r} gave {shown(scores.values)}; scores must be real numbers"
            )
        if values.shape != (len(chosen),) or len(scores.reasons) != len(chosen):
            raise SelectionError(
                f"scorer {self.spec!r} gave {tuple(values.shape)} scores and {len(scores.reasons)} "
                f"reasons for {len(chosen)} frames; it must give one of each per frame"
            )
        if not bool(values.isfinite().all()):
            place = int((~values.isfinite()).nonzero()[0])
            raise SelectionError(
                f"scorer {self.spec!r} gave {float(values[place])} for the frame at "
                f"{float(candidates.pts_seconds[chosen[place]]):.2f} s; scores must be finite"
            )
        return Scores(values=values, reasons=tuple(scores.reasons))

    def limitation(self, uri: str) -> str | None:
        """Returns in one line why scores of a video mean nothing; None where they may."""
        return None

    @abstractmethod
    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns the scores of the candidates at `places`; `question` is `""` if it reads none."""


def _numbers(values: object) -> Tensor | None:
    """Returns what a scorer gave as float32 on the CPU; None where they are no real numbers."""
    try:
        given = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        return None
    return None if given.is_complex() else given.detach().float().cpu()
