"""Checks the kind of evidence before any work is done."""

from __future__ import annotations

from typing import get_args

from framesift.errors import InvalidOptionError
from framesift.types.answer import EvidenceKind
from framesift.types.options import shown


def check_evidence(evidence: str | None) -> None:
    """Refuses a kind of evidence that does not exist.

    Raises:
        InvalidOptionError: it is neither a kind of evidence nor None.
    """
    if evidence is not None and evidence not in list(get_args(EvidenceKind)):
        kinds = ", ".join(map(repr, get_args(EvidenceKind)))
        raise InvalidOptionError(
            f"evidence={shown(evidence)} must be one of {kinds}, or None for no evidence"
        )
