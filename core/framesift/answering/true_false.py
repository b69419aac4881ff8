"""The share of True among the words True and False that may come next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from framesift.answering.prompt_batch import PromptBatch
from framesift.hf.letters import text_ids
from framesift.vlms.prompt import Prompt

WORDS: Final = ("True", "False")


def share_of_true(batch: PromptBatch, prompt: Prompt, texts: Sequence[str]) -> Tensor:
    """Returns the probability of True among True and False behind a text each, float32 `(B,)`.

    The words are looked for with a space before them and without; the spelling that has more of
    the probability counts. Where both are one token it is the sigmoid of the difference of their
    logits, since these come from one softmax.

    Args:
        batch: pictures with a prompt each.
        prompt: what stands before the texts.
        texts: of each picture, not empty, without white space at the end.
    """
    tokenizer, logs = batch.vlm.tokenizer, dict[tuple[int, ...], Tensor]()
    before = [text_ids(tokenizer, text) for text in texts]

    def log_probability(word: str) -> Tensor:
        """Returns that of a word, float32 `(B,)`; words that differ in the last token share one."""
        *lead, last = text_ids(tokenizer, word)
        key = tuple(lead)
        if key not in logs:
            given = [[*own, *lead] for own in before]
            logits = batch.logits_after(prompt, given, keep=len(lead) + 1)
            logs[key] = logits.float().log_softmax(-1).cpu()
        said = [logs[key][:, place, token] for place, token in enumerate([*lead, last])]
        return torch.stack(said).sum(0)

    shares, masses = [], []
    for gap in (" ", ""):
        true, false = (log_probability(f"{gap}{word}") for word in WORDS)
        shares.append((true - false).sigmoid())
        masses.append(true.logaddexp(false))
    return torch.where(masses[0] >= masses[1], shares[0], shares[1])
