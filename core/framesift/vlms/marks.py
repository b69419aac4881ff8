"""The special tokens that stand around pictures: a tokenizer that lacks one would spell it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from framesift.errors import ModelError
from framesift.vlms.blocks import Block

MARK: Final = re.compile(r"<[^<>\s]{2,}>")
"""How families write special tokens: `<img>`, `</img>`, `<|vision_start|>`, `<|image>`."""
BEFORE: Final = re.compile(r"(<\|[^<>\s]+>)$")
BEHIND: Final = re.compile(r"^(<\|[^<>\s]+>)")


def check_marks(tokenizer: Any, parts: Sequence[str], blocks: Iterable[Block]) -> None:
    """Refuses a tokenizer that reads what stands around pictures as letters.

    Args:
        tokenizer: the model's.
        parts: texts of a prompt; at odd places the placeholders that stand between them.
        blocks: what a family puts in their place.

    Raises:
        ModelError: it has no such special token.
    """
    marks = dict.fromkeys(chain(_of_blocks(blocks), _of_template(parts)))
    if not marks:
        return
    known = {token.content for token in tokenizer.added_tokens_decoder.values()}
    if lost := [mark for mark in marks if mark not in known]:
        raise ModelError(
            f"the tokenizer has no special token {', '.join(map(repr, lost[:4]))}, as the model "
            "has it around pictures; pass a checkpoint with the tokenizer that belongs to it"
        )


def _of_blocks(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        yield from MARK.findall(block.before)
        yield from MARK.findall(block.after)


def _of_template(parts: Sequence[str]) -> Iterator[str]:
    """Yields the marks that a chat template writes right before and behind a placeholder.

    What people write never stands before one without a mark between; what stands behind one may be
    theirs, unless there is a mark before it too.
    """
    for before, behind in zip(parts[:-1:2], parts[2::2], strict=True):
        if begin := BEFORE.search(before):
            yield begin[1]
            if end := BEHIND.match(behind):
                yield end[1]
