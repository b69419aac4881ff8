"""What it costs to encode only the units that changed: right answers, evidence and small text.

Answers are those of the tiny model about held-out synthetic videos. Evidence is what units that
were encoded within a question's time hold of it, and what `temporal` holds behind the copies; it is
measured on the pixels of a tower of 378 px whose units form a grid of 14 x 14. Small text is a
digit that changes into another one: caught if any unit is encoded again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.effort import Effort
from benchmarks.process import Json
from benchmarks.sections.evidence import ENCODER, Clip, evidence_held
from framesift.answering.chat import Chat
from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor
from framesift.encoders import registry as encoders
from framesift.encoders.still import ChangedUnits, Units
from framesift.evaluation.answers.bootstrap import ratio_interval, sums_by_video
from framesift.evaluation.answers.question_sets import synthetic
from framesift.evaluation.answers.real_clips import RealQuestion, checked_clips, read_questions
from framesift.evaluation.answers.statistics import DECIMALS, rounded
from framesift.strategies.base import create_strategy
from framesift.types.budget import Budget
from framesift.types.plan import TokenPlan
from framesift.types.tokens import Signals, VideoTokens
from framesift.vlms.load import load_vlm

GATES: Final = (8, 12)
"""Changes in levels of 256 above which a unit is encoded again."""
KEEP: Final = 0.25
STRATEGY: Final = "temporal"
SHORT: Final = Generation(max_new_tokens=24)
GRID: Final = (14, 14)
SIZE_PX: Final = (378, 378)
DIGIT_SIZES_PX: Final = ((378, 378), (560, 1008))
UNIT_PX: Final = 28
HEIGHTS: Final = (0.02, 0.03, 0.04, 0.05)
"""Heights of a digit as parts of the frame's."""
INKS: Final = {"strong": 250, "faint": 160}
"""Level of the digits, on a backdrop of 60 to 180."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to shorten the work."""

    gate: int | None
    keep: float

    @property
    def name(self) -> str:
        """The way as it is shown."""
        parts = [] if self.gate is None else [f"gate {self.gate}"]
        parts += [] if self.keep == 1 else [f"{STRATEGY} {self.keep:g}"]
        return ", ".join(parts) or "all tokens"


WAYS: Final = tuple(Way(gate=gate, keep=keep) for keep in (1.0, KEEP) for gate in (None, *GATES))


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns what skipping costs, on real clips too where there are some."""
    rows = [*answer_rows(effort.skipping_videos), *digit_rows(effort.skipping_pairs)]
    if clips is not None:
        rows += clip_rows(clips)
    return {
        "question": "share of right answers of the tiny model, beside all tokens and the same keep "
        "without skipping; share of evidence held on five real clips; share of changes of one "
        "digit that are seen; 95 % bootstrap over videos, or over questions of the real clips",
        "rows": rows,
    }


def answer_rows(videos: int) -> Iterator[Json]:
    """Yields the right answers of each way, and what they won and lost."""
    model = load_vlm("tiny")
    right: defaultdict[Way, list[tuple[str, bool]]] = defaultdict(list)
    encoded_units: defaultdict[Way, list[float]] = defaultdict(list)
    for video in synthetic("test", videos):
        for gate in (None, *GATES):
            encoded = VideoCompressor(vlm=model, fps=video.fps, gate=gate).encode(video.uri)
            for way in (way for way in WAYS if way.gate == gate):
                sift = VideoCompressor(vlm=model, strategy=STRATEGY, keep=way.keep, gate=gate)
                short = sift.reduce(encoded)
                encoded_units[way].append(short.report.share_encoded)
                with Chat(model, short) as chat:
                    for question in video.questions:
                        said = chat.ask(question.prompt, generation=SHORT, evidence=None).text
                        right[way].append((video.name, question.is_right(said)))
    for way in WAYS:
        peers = {"all tokens": WAYS[0], "same keep": Way(gate=None, keep=way.keep)}
        yield _row(
            "answers", way.name, [name for name, _ in right[way]], [r for _, r in right[way]]
        ) | {
            "encoded": round(float(np.mean(encoded_units[way])), DECIMALS),
            **{
                f"against {peer}": paired(right[way], right[other]) for peer, other in peers.items()
            },
        }


def clip_rows(clips: Path) -> Iterator[Json]:
    """Yields what is encoded of each clip, and how much of the evidence is held."""
    questions = read_questions()
    paths = checked_clips(clips, [question.clip for question in questions])
    held: defaultdict[str, list[float]] = defaultdict(list)
    for name, path in paths.items():
        own = [question for question in questions if question.clip == name]
        clip, pixels = _clip(path)
        held[f"{STRATEGY} {KEEP:g}"] += _held(clip, clip.tokens, own)
        for gate in GATES:
            encoded = ChangedUnits(Units.even(GRID, SIZE_PX), gate).changed(pixels)
            share = float(encoded.float().mean())
            yield {
                "video": name,
                "name": f"encoded, gate {gate}",
                "events": encoded.numel(),
                "share": round(share, DECIMALS),
                "interval": [round(share, DECIMALS)] * 2,
            }
            kept = encoded.flatten().nonzero().flatten()
            plan = TokenPlan.keep(kept, num_in=encoded.numel(), tokens_per_frame=encoded.shape[1])
            held[f"encoded, gate {gate}"] += [evidence_held(clip, plan, each) for each in own]
            copies = copied(clip.tokens, encoded)
            held[f"gate {gate}, {STRATEGY} {KEEP:g}"] += _held(clip, copies, own)
    for name, values in held.items():
        yield _row("evidence", name, [str(place) for place in range(len(values))], values)


def digit_rows(pairs: int) -> Iterator[Json]:
    """Yields how many changes of one digit into another are seen, of `pairs` of them."""
    rng = np.random.default_rng(0)
    chosen = list(combinations(range(10), 2))[:pairs]
    for height, width in DIGIT_SIZES_PX:
        units = Units.even((height // UNIT_PX, width // UNIT_PX), (height, width))
        for ink, level in INKS.items():
            for part in HEIGHTS:
                seen: dict[int, list[float]] = {gate: [] for gate in GATES}
                for pair in chosen:
                    at = rng.uniform((0.05, 0.1), (0.9, 0.95)).tolist()
                    drawn = [_digit(digit, part, level, at, (height, width)) for digit in pair]
                    levels = _levels(drawn)
                    for gate, hits in seen.items():
                        hits.append(float(ChangedUnits(units, gate).changed(levels)[1].any()))
                for gate, hits in seen.items():
                    name = f"{ink} digit of {part:.0%}, gate {gate}"
                    yield _row(f"{width} px", name, [str(i) for i in range(len(hits))], hits)


def _clip(path: Path) -> tuple[Clip, Tensor]:
    """Returns a clip as strategies get it, and its frames as a tower of 378 px sees them."""
    sift = VideoCompressor(encoder=ENCODER)
    encoded = sift.encode(path)
    info, encoder = encoded.index.info, encoders.create(ENCODER)
    region = encoder.fitted(info).region(info)
    frames = sift.frames(path).data
    small = [cv2.resize(frame, SIZE_PX, interpolation=cv2.INTER_AREA) for frame in frames]
    return Clip(tokens=encoded.tokens, region=region), _levels(small)


def _held(clip: Clip, tokens: VideoTokens, questions: Sequence[RealQuestion]) -> list[float]:
    """Returns what the strategy holds of each question's evidence."""
    plan = create_strategy(STRATEGY).plan(tokens, Budget(keep=KEEP).tokens(tokens.count), None)
    return [evidence_held(clip, plan, question) for question in questions]


def copied(tokens: VideoTokens, encoded: Tensor) -> VideoTokens:
    """Returns tokens `(T, N, D)` with those of the last encoded frame where none is encoded."""
    frame = torch.arange(len(encoded))[:, None].where(encoded, 0).cummax(0).values
    place = torch.arange(encoded.shape[1])
    signals = {name: value[frame, place] for name, value in tokens.signals.present().items()}
    return replace(tokens, features=tokens.features[frame, place], signals=Signals(**signals))


def _levels(pictures: Sequence[Picture]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def _digit(
    digit: int, part: float, level: int, at: Sequence[float], size_px: tuple[int, int]
) -> Picture:
    """Returns a picture of a digit, drawn at 1920 x 1080 and brought to a size `(H, W)`."""
    picture, tall = _backdrop().copy(), part * 1080
    where = int(at[1] * 1920), int(at[0] * 1080)
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(tall / 10))
    cv2.putText(picture, str(digit), where, font, tall / 21, (level,) * 3, thick, cv2.LINE_AA)
    return cv2.resize(picture, size_px[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)


@cache
def _backdrop() -> Picture:
    """Returns shades that slide from one corner to the other, `(1080, 1920, 3)`."""
    rows, columns = np.mgrid[:1080, :1920]
    shades = rows // 12 + 60, columns // 24 + 60, rows // 24 + columns // 48 + 60
    return np.ascontiguousarray(np.stack(shades, axis=-1).astype(np.uint8))


def paired(own: Sequence[tuple[str, bool]], peers: Sequence[tuple[str, bool]]) -> Json:
    """Returns the difference in right answers to the same questions, and how it comes about."""
    pairs = [(one, other) for (_, one), (_, other) in zip(own, peers, strict=True)]
    columns = [(float(one) - float(other), 1) for one, other in pairs]
    sums = sums_by_video([name for name, _ in own], columns)
    return {
        "difference": round(float(np.mean([gain for gain, _ in columns])), DECIMALS),
        "interval": rounded(ratio_interval(sums)),
        "won": sum(one and not other for one, other in pairs),
        "lost": sum(other and not one for one, other in pairs),
    }


def _row(kind: str, name: str, videos: Sequence[str], values: Sequence[float]) -> Json:
    sums = sums_by_video(videos, [(float(value), 1) for value in values])
    return {
        "video": kind,
        "name": name,
        "events": len(values),
        "share": round(float(np.mean(values)), DECIMALS),
        "interval": rounded(ratio_interval(sums)),
    }
