"""Batches of labeled questions: which ones make each batch follows from the seed alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from framesift.hf.letters import text_ids
from framesift.nn.frame_scorer_config import FrameScorerConfig
from framesift.nn.frame_scorer_input import question_ids
from framesift.training.batches import planned_batches
from framesift.training.frame_selector.labeled import LabeledQuestion
from framesift.training.frame_selector.recipe import SelectorRecipe
from framesift.training.kept_features import KeptFeatures
from framesift.training.packing import IGNORED_LABEL

Lesson = Literal["score", "answer"]


class SelectorBatches(torch.utils.data.Dataset[dict[str, Tensor]]):
    """The parts of batches that go through the network at once; item `i` is always the same."""

    def __init__(
        self,
        questions: Sequence[LabeledQuestion],
        features: KeptFeatures,
        tokenizer: Any,
        config: FrameScorerConfig,
        *,
        recipe: SelectorRecipe,
        end_id: int,
        epochs: float,
        answering: bool,
    ) -> None:
        """Takes what is learned from.

        Args:
            questions: at least one.
            features: of their videos.
            tokenizer: the LLM's.
            config: of the network.
            recipe: sizes of batches, seed and number of frames.
            end_id: token that ends an answer.
            epochs: how often each question comes.
            answering: whether every second batch is one of answers.
        """
        self.questions = questions
        self.features = features
        self.tokenizer = tokenizer
        self.config = config
        self.recipe = recipe
        self.end_id = end_id
        answered = [i for i, each in enumerate(questions) if each.answer is not None]
        scored = self._planned(list(range(len(questions))), epochs, "score")
        plan: list[tuple[Lesson, list[int]]] = [("score", batch) for batch in scored]
        if answering and answered:
            told = self._planned(answered, epochs, "answer")
            plan = []
            for number, batch in enumerate(scored):
                plan += [("answer", told[number % len(told)]), ("score", batch)]
        size = recipe.batch // recipe.accumulation
        self.parts = [
            (lesson, batch[start : start + size])
            for lesson, batch in plan
            for start in range(0, recipe.batch, size)
        ]
        self.steps = len(plan)
        """Batches in all."""

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        lesson, chosen = self.parts[item]
        rng = random.Random(f"{self.recipe.seed} {item}")
        rows = [self.questions[i] for i in chosen]
        return self.answering(rows, rng) if lesson == "answer" else self.scoring(rows, rng)

    def scoring(
        self, rows: Sequence[LabeledQuestion], rng: random.Random | None
    ) -> dict[str, Tensor]:
        """Returns a batch whose frames are to be scored; without `rng` no frame is left out."""
        places = [self._places(len(row.labels), rng) for row in rows]
        texts = [question_ids(self.tokenizer, row.question, self.config.after) for row in rows]
        most = max(map(len, places))
        labels, weights = torch.zeros(len(rows), most), torch.zeros(len(rows), most)
        for i, (row, kept) in enumerate(zip(rows, places, strict=True)):
            labels[i, : len(kept)] = torch.tensor(row.labels)[kept]
            first = [place != before for place, before in zip(kept, [-1, *kept], strict=False)]
            weights[i, : len(kept)] = torch.tensor(first).float()
        text = _padded(texts)
        seen = {**self._seen(rows, places), **text, "asked": text["lengths"]}
        return {**seen, "labels": labels, "weights": weights}

    def answering(
        self, rows: Sequence[LabeledQuestion], rng: random.Random | None
    ) -> dict[str, Tensor]:
        """Returns a batch whose answers are to be foretold."""
        places = [self._places(len(row.labels), rng) for row in rows]
        asked = [question_ids(self.tokenizer, row.question, self.config.after) for row in rows]
        told = [[*text_ids(self.tokenizer, row.answer or ""), self.end_id] for row in rows]
        text = _padded([[*a, *b] for a, b in zip(asked, told, strict=True)])
        answers = torch.full_like(text["text"], IGNORED_LABEL)
        for i, (a, b) in enumerate(zip(asked, told, strict=True)):
            answers[i, len(a) : len(a) + len(b)] = torch.tensor(b)
        text["asked"] = torch.tensor([*map(len, asked)])
        return {**self._seen(rows, places), **text, "answers": answers}

    def _places(self, count: int, rng: random.Random | None) -> list[int]:
        """Returns which frames of a video are shown.

        The head `"mlp"` takes a fixed number: frames are thinned evenly, or repeated. For
        `"query_key"` a longer video loses some at random.
        """
        most = self.config.candidates
        if self.config.head == "mlp":
            return [place * count // most for place in range(most)]
        if count <= most:
            return list(range(count))
        if rng is None:
            return [place * count // most for place in range(most)]
        return sorted(rng.sample(range(count), most))

    def _seen(
        self, rows: Sequence[LabeledQuestion], places: Sequence[Sequence[int]]
    ) -> dict[str, Tensor]:
        parts = [
            self.features.of(row.video, row.times_seconds)[list(kept)]
            for row, kept in zip(rows, places, strict=True)
        ]
        features = torch.zeros(len(rows), max(map(len, places)), *parts[0].shape[1:])
        for i, part in enumerate(parts):
            features[i, : len(part)] = part
        return {"features": features, "frames": torch.tensor([*map(len, places)])}

    def _planned(self, pool: list[int], epochs: float, lesson: Lesson) -> list[list[int]]:
        """Returns batches of questions about videos of about the same number of frames."""
        return planned_batches(
            pool,
            size=self.recipe.batch,
            epochs=epochs,
            length=lambda i: len(self.questions[i].labels),
            rng=random.Random(f"{self.recipe.seed} {lesson}"),
        )


def _padded(texts: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """Returns token ids `(B, Q)` with zeros at their ends, and their numbers."""
    text = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.int64)
    for i, ids in enumerate(texts):
        text[i, : len(ids)] = torch.tensor(ids)
    return {"text": text, "lengths": torch.tensor([*map(len, texts)])}
