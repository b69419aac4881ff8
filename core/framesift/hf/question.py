"""Similarity of visual tokens to a question, in the space of an LLM's input embeddings."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from framesift.hf.letters import text_ids

ROWS: Final = 8192
"""Tokens that are held in float32 at once."""


def question_similarity(features: Tensor, words: Tensor, common_word: Tensor) -> Tensor:
    """Returns how much each visual token resembles a question, in [-1, 1], float32 `(M,)`.

    It is the mean over the question's tokens of the cosine between the token's embedding and the
    visual token, both in the input space of the LLM. Word embeddings are centred on the
    vocabulary's mean, visual tokens on the mean of the video's, since what all of them share would
    else outweigh what tells them apart. This needs no pass through the LLM, and knows no more than
    which words lie near which patches.

    Args:
        features: visual tokens `(M, D)`.
        words: embeddings of the question's tokens `(Q, D)`, on any device.
        common_word: mean embedding of the vocabulary `(D,)`, on any device.
    """
    common_patch = features.mean(0, dtype=torch.float32)
    direction = words.to(features.device).float() - common_word.to(features.device).float()
    question = normalize(direction, dim=-1).mean(0)
    centred = (rows.float() - common_patch for rows in features.split(ROWS))
    return torch.cat([normalize(rows, dim=-1) @ question for rows in centred])


def word_embeddings(model: Any, tokenizer: Any, text: str) -> Tensor:
    """Returns what the LLM reads for the tokens of a text, all of it as letters, `(Q, D)`."""
    ids = torch.tensor(text_ids(tokenizer, text), dtype=torch.int64)
    table = model.get_input_embeddings()
    embedded: Tensor = table(ids.to(table.weight.device))
    return embedded.detach()


def common_word(model: Any) -> Tensor:
    """Returns the mean embedding of the LLM's vocabulary, float32 `(D,)`."""
    table: Tensor = model.get_input_embeddings().weight
    return table.detach().mean(0, dtype=torch.float32)
