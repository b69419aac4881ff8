"""Batches of clips with several questions each, whose visual prompts lose tokens at random.

A model that starts with whole clips stays for long at what can be guessed; it finds what to look at
sooner where there is little else to see. So some batches, at first all, are glimpses: the few
frames that a question is about.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from framesift.answering.video_text import before_question
from framesift.synthetic.paraphrases import beside_text
from framesift.synthetic.wordings import worded
from framesift.training.cards import Cards
from framesift.training.course_labels import COURSE, MEASURED
from framesift.training.doubts import doubts
from framesift.training.labels import NOTHING
from framesift.training.packing import IGNORED_LABEL, PADDING, VIDEO
from framesift.training.reading import page_lesson, with_lines
from framesift.training.seen import MOTION_FRAMES, OF_MOTION, SEEN_AT_ONCE, Seen

MOST_QUESTIONS = 8
MOST_DOUBTS = 3
"""Of those about what is there and what is not, where it is known what a clip shows."""
GLIMPSES = 0.25
"""Share of glimpses among the batches after the first ones."""
MEDLEYS = 0.5
"""Share of glimpses that show several things, one of which a question singles out."""
CARDS = 0.15
"""Share of batches that show nothing but numbers on cards."""
BESIDE_TEXT = 0.1
"""Share of questions behind other text."""
PAGES = 0.4
"""Share of batches of slides, whose text stands beside them."""
READ = 0.15
"""Share of other clips beside which lines stand."""
FRAMES_A_CLIP = 24
"""A batch holds fewer clips where they have more frames than these, at the mean of it."""
CLIPS_ALIKE = 64
"""Clips of about the same length of which a batch is drawn, twice the batch where it is large."""
LONGEST_SLOTS = 64
"""A clip may be spread over as many frame slots, as if a longer video had lost the others."""


@dataclass(frozen=True, kw_only=True)
class Dropping:
    """How the visual prompts of one batch lose tokens."""

    kind: str
    """`"none"`, random `"tokens"`, random `"frames"`, or `"still"` ones first."""
    keep: float = 1.0
    compact: bool = False
    """Whether positions are counted over what is left, not over the whole prompt."""
    stretched: bool = False
    """Whether frames are spread over the slots of a longer video."""
    chat: bool = False
    """Whether a question sees the ones before it, as in a conversation."""

    @classmethod
    def drawn(cls, rng: random.Random) -> Dropping:
        """Returns a random one; a third of the batches keep all tokens."""
        return cls(
            kind=rng.choices(["none", "tokens", "frames", "still"], [34, 36, 12, 18])[0],
            keep=rng.uniform(0.06, 0.7),
            compact=rng.random() < 0.12,
            stretched=rng.random() < 0.25,
            chat=rng.random() < 0.2,
        )


class Dialogs(torch.utils.data.IterableDataset[dict[str, Tensor]]):
    """Yields batches of clips of about the same length without end, the same ones for a seed.

    Several workers of a data loader make them in turn.
    """

    def __init__(
        self,
        clips: Sequence[Seen],
        tokenizer: Any,
        special: dict[str, int],
        *,
        size: int,
        seed: int,
        glimpses_first: int,
        share_of_cards: float = CARDS,
        slides: Sequence[Seen] = (),
    ) -> None:
        """Takes clips, clips of one batch, and for how many batches there are glimpses only.

        With `slides`, clips of pages, lines stand beside some clips, and are all there is to read
        of these.
        """
        self.clips = sorted(clips, key=lambda clip: len(clip.features))
        self.tokenizer = tokenizer
        self.special = special
        self.size = size
        self.seed = seed
        self.glimpses_first = glimpses_first
        self.cards = Cards(clips)
        self.share_of_cards = share_of_cards
        self.slides = slides
        self.glimpsed = [
            clip
            for clip in clips
            if any(q["kind"] in SEEN_AT_ONCE | OF_MOTION for q in clip.questions)
        ]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        first, every = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for number in itertools.count(first, every):
            yield self.drawn(number)

    def drawn(self, number: int) -> dict[str, Tensor]:
        """Returns the batch of a number, whatever was drawn before it."""
        rng = random.Random(f"{self.seed} {number}")
        if self.cards.colors[1:] and rng.random() < self.share_of_cards:
            few = [self.cards.medley(rng) for _ in range(2 * self.size)]
            return self.batch(few, Dropping(kind="none", stretched=rng.random() < 0.5), rng)
        if self.slides and number >= self.glimpses_first and rng.random() < PAGES:
            few = [page_lesson(rng.choice(self.slides), rng) for _ in range(self.size)]
            return self.batch(few, Dropping.drawn(rng), rng)
        if number < self.glimpses_first or rng.random() < GLIMPSES:
            look = Seen.medley if rng.random() < MEDLEYS else Seen.glimpse
            count = min(2 * self.size, len(self.glimpsed))
            few = [look(clip, rng) for clip in rng.sample(self.glimpsed, count)]
            few = [clip for clip in few if len(clip.features) <= MOTION_FRAMES]
            return self.batch(few, Dropping(kind="none", stretched=rng.random() < 0.5), rng)
        like = min(8 * self.size, max(CLIPS_ALIKE, 2 * self.size))
        start = rng.randrange(max(1, len(self.clips) - like + 1))
        near = self.clips[start : start + like]
        size = min(self.size, max(1, FRAMES_A_CLIP * self.size // len(near[-1].features)))
        clips = rng.sample(near, size)
        if self.slides:
            clips = [with_lines(clip, rng) if rng.random() < READ else clip for clip in clips]
        return self.batch(clips, Dropping.drawn(rng), rng)

    def batch(
        self, clips: Sequence[Seen], dropping: Dropping, rng: random.Random
    ) -> dict[str, Tensor]:
        """Returns the packed prompts of some clips.

        `features (B, K, D)` or `(B, K, 1)` as in the clips, `text (B, Lt)`, `labels (B, Lt)`,
        `positions (B, 1 + K + Lt)`, `parts (B, 1 + K + Lt)`, by which a question sees the video
        and itself, as `seen_columns` says, classes `(B, K)` by name of `COURSE` and numbers
        `(B, K, 2)` by name of `MEASURED`.
        """
        visuals = [_visual(clip, dropping, rng) for clip in clips]
        asked = [_asked(clip, rng) for clip in clips]
        texts = self._texts([clip.text for clip in clips], asked, dropping)
        kept, length = max(len(v[2]) for v in visuals), max(len(t[0]) for t in texts)
        width, kind = clips[0].features.shape[-1], clips[0].features.dtype
        features = torch.zeros(len(clips), kept, width, dtype=kind)
        text = torch.full((len(clips), length), self.special["pad"])
        labels = torch.full((len(clips), length), IGNORED_LABEL)
        positions = torch.zeros(len(clips), 1 + kept + length, dtype=torch.long)
        parts = torch.full((len(clips), 1 + kept + length), PADDING)
        course = {name: torch.full((len(clips), kept), NOTHING) for name in COURSE}
        course |= {name: torch.full((len(clips), kept, 2), torch.nan) for name in MEASURED}
        for row, ((places, after, survivors), (ids, answers, part)) in enumerate(
            zip(visuals, texts, strict=True)
        ):
            values = clips[row].features.flatten(0, 1)[survivors]
            features[row, : len(values)] = values
            for name, classes in clips[row].course.items():
                course[name][row, : len(values)] = classes.flatten(0, 1)[survivors]
            positions[row, 1 : 1 + len(values)] = places
            parts[row, : 1 + len(values)] = VIDEO
            text[row, : len(ids)], labels[row, : len(ids)] = ids, answers
            end = 1 + kept + len(ids)
            positions[row, 1 + kept : end] = after + _within(part, dropping)
            parts[row, 1 + kept : end] = 1 if dropping.chat else part
        return {
            "features": features,
            "text": text,
            "labels": labels,
            "positions": positions,
            "parts": parts,
            **course,
        }

    def _texts(
        self,
        beside: Sequence[str],
        asked: Sequence[Sequence[tuple[str, str]]],
        dropping: Dropping,
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Returns ids, labels and the question's number of each column, all `(Lt,)`, by clip.

        Lines beside a clip come first and once; all its questions see them.
        """
        lines = [text for pairs in asked for pair in pairs for text in pair]
        read = iter(self.tokenizer(lines, return_attention_mask=False)["input_ids"])
        texts = []
        for own, pairs in zip(beside, asked, strict=True):
            ids: list[int] = self.tokenizer(before_question(own))["input_ids"] if own else []
            labels: list[int] = [IGNORED_LABEL] * len(ids)
            part: list[int] = [VIDEO] * len(ids)
            for number in range(1, len(pairs) + 1):
                turn = [self.special["user"]] if dropping.chat and number > 1 else []
                before = [*turn, *next(read), self.special["end"], self.special["assistant"]]
                answer = [*next(read), self.special["end"]]
                ids += before + answer
                labels += [IGNORED_LABEL] * len(before) + answer
                part += [number] * (len(before) + len(answer))
            texts.append((torch.tensor(ids), torch.tensor(labels), torch.tensor(part)))
        return texts


def _asked(clip: Seen, rng: random.Random) -> list[tuple[str, str]]:
    """Returns some questions about a clip in one of their wordings, each with its answer."""
    video = clip.inventory
    more = doubts(video, rng.randint(1, MOST_DOUBTS), rng) if video else []
    own = min(MOST_QUESTIONS - len(more), len(clip.questions))
    chosen = [*rng.sample(list(clip.questions), own), *more]
    rng.shuffle(chosen)
    pairs = []
    for each in chosen:
        words = worded(each["question"], rng)
        words = beside_text(words, rng) if rng.random() < BESIDE_TEXT else words
        pairs.append((words, each["answer"]))
    return pairs


def _visual(clip: Seen, dropping: Dropping, rng: random.Random) -> tuple[Tensor, int, Tensor]:
    """Returns positions `(K,)` of kept tokens, the first one after them, and which they are."""
    frames, patches, _ = clip.features.shape
    slots, last = torch.arange(frames), frames
    if dropping.stretched:
        last = rng.randint(frames, max(frames, LONGEST_SLOTS))
        slots = torch.tensor(sorted(rng.sample(range(last), frames)))
    places = 1 + (slots[:, None] * patches + torch.arange(patches)).flatten()
    kept = _kept(clip, dropping, rng)
    if dropping.compact:
        return 1 + torch.arange(len(kept)), 1 + len(kept), kept
    return places[kept], 1 + last * patches, kept


def _kept(clip: Seen, dropping: Dropping, rng: random.Random) -> Tensor:
    frames, patches, _ = clip.features.shape
    draws = torch.rand(
        frames, patches, generator=torch.Generator().manual_seed(rng.getrandbits(48))
    )
    if dropping.kind == "none":
        return torch.arange(frames * patches)
    if dropping.kind == "frames":
        draws = draws[:, :1].expand_as(draws)
    if dropping.kind == "still":
        draws = torch.cat([1 + draws[:1], clip.changes + 0.02 * draws[1:]])
    count = max(1, round(dropping.keep * frames * patches))
    order = torch.argsort(draws.flatten(), descending=True, stable=True)
    return order[:count].sort().values


def _within(part: Tensor, dropping: Dropping) -> Tensor:
    """Returns each column's place in its question, or in the conversation."""
    if dropping.chat:
        return torch.arange(len(part))
    _, *lengths = torch.bincount(part).tolist()
    starts = torch.tensor([0, 0, *itertools.accumulate(lengths)][:-1])
    return torch.arange(len(part)) - starts[part]
