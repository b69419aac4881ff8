"""Visual tokens with their grid, their times and the signals that strategies rank them by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from framesift.errors import InvalidTokensError
from framesift.types.pickling import PickledOnCpu


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals(PickledOnCpu):
    """What an encoder knows about its tokens besides their features; each may be absent."""

    attention: Tensor | None = None
    """Attention that each patch receives from the frame's summary token, `(T, N)`."""
    keys: Tensor | None = None
    """Attention keys averaged over heads, `(T, N, Dk)`."""
    edge_density: Tensor | None = None
    """Share of fine strokes in each patch in [0, 1], `(T, N)`; high on text and UI."""
    contrast: Tensor | None = None
    """How far each patch departs from the colour of most of its frame in [0, 1], `(T, N)`; about 0
    all over a blank frame."""
    question_similarity: Tensor | None = None
    """Similarity of each patch to the question, `(T, N)`."""
    pre_projector: Tensor | None = None
    """Features of the vision tower before a vision LLM's projector, `(T, N, Dv)`."""
    llm_attention: Tensor | None = None
    """Attention that each token receives from a prompt's last token in an LLM layer, `(T, N)`."""
    text: Tensor | None = None
    """Share of each patch that lines of text cover, in [0, 1], `(T, N)`: those that a reader with
    boxes read there first, in its frame. The compressor fills it, no encoder."""
    frame_rank: Tensor | None = None
    """Place of each token's frame in the order in which a selector chose the frames, `(T, N)`: 0
    for the first. The compressor fills it, no encoder."""

    def present(self) -> dict[str, Tensor]:
        """Returns the signals that are there, by name."""
        named = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in named if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTokens(PickledOnCpu):
    """The visual tokens of `T` frames with `N = h * w` patches each.

    Features, signals, mask and layers are on one device, times on the CPU. A pickle is for any
    machine: what it brings back is on the CPU.
    """

    features: Tensor
    """Token features `(T, N, D)`, floating point."""
    grid: tuple[int, int]
    """Patch grid `(h, w)` of one frame, in raster order."""
    pts_seconds: Tensor
    """Frame times `(T,)` on the CPU, ascending; of a step of several frames that of the first."""
    signals: Signals = field(default_factory=Signals)
    mask: Tensor | None = None
    """Tokens that still take part, bool `(T, N)`; None means all of them."""
    layers: Tensor | None = None
    """What deeper LLM layers add to the same tokens (DeepStack), `(T, N, Ld, D)`, else None."""
    step_seconds: Tensor | None = None
    """Times of all frames of each time step `(T, S)`, where `S` frames make one, else None."""

    def __post_init__(self) -> None:
        if self.features.ndim != 3 or not self.features.is_floating_point():
            raise InvalidTokensError(
                f"features must be floating point (T, N, D), got {self.features.dtype} "
                f"{tuple(self.features.shape)}"
            )
        frames, patches, channels = self.features.shape
        if frames == 0 or patches == 0 or channels == 0:
            raise InvalidTokensError(
                f"features need T >= 1, N >= 1 and D >= 1, got T={frames}, N={patches}, "
                f"D={channels}"
            )
        if self.grid[0] * self.grid[1] != patches or min(self.grid) < 1:
            raise InvalidTokensError(f"grid {self.grid} must have N={patches} cells")
        if self.pts_seconds.shape != (frames,):
            raise InvalidTokensError(
                f"pts_seconds must be ({frames},), got {tuple(self.pts_seconds.shape)}"
            )
        for name in ("pts_seconds", "step_seconds"):
            given = getattr(self, name)
            if given is not None and given.device.type != "cpu":
                raise InvalidTokensError(
                    f"{name} is on {given.device}; times stay on the CPU: pass {name}.cpu()"
                )
        steps = self.pts_seconds.diff(prepend=self.pts_seconds[:1])
        if not bool((steps >= 0).all()):
            place = int((~(steps >= 0)).nonzero()[0])
            raise InvalidTokensError(
                f"pts_seconds must be finite and ascending, got {float(self.pts_seconds[place])} "
                f"in frame {place} after {float(self.pts_seconds[max(0, place - 1)])}"
            )
        check_step_seconds(self.step_seconds, self.pts_seconds)
        self._check_aligned()

    @property
    def frame_count(self) -> int:
        """Number of frames `T`."""
        return self.features.shape[0]

    @property
    def tokens_per_frame(self) -> int:
        """Number of patches per frame `N`."""
        return self.features.shape[1]

    @property
    def count(self) -> int:
        """Number of tokens `T * N`."""
        return self.frame_count * self.tokens_per_frame

    @property
    def live(self) -> Tensor:
        """Tokens that take part, bool `(T, N)`, also where no mask was given."""
        if self.mask is not None:
            return self.mask
        shape = self.features.shape[:2]
        return torch.ones(shape, dtype=torch.bool, device=self.features.device)

    @property
    def live_count(self) -> int:
        """Number of tokens that take part; without a mask this waits for no device."""
        return self.count if self.mask is None else int(self.mask.sum())

    def check_finite(self) -> None:
        """Makes sure that every feature is a finite number and that a token takes part.

        It reads all features and waits for their device, so it is done once for a plan and not
        whenever tokens are made.

        Raises:
            InvalidTokensError: the message names the first token that is not.
        """
        if self.live_count == 0:
            raise InvalidTokensError(
                f"mask leaves 0 of {self.count} tokens, and at least 1 must take part"
            )
        low, high = self.features.aminmax()
        if bool(low.isfinite() & high.isfinite()):
            return
        bad = (~self.features.isfinite()).any(-1)
        frame, patch = bad.nonzero()[0].tolist()
        row = self.features[frame, patch]
        value = float(row[~row.isfinite()][0])
        raise InvalidTokensError(
            f"features must be finite numbers, got {value} in frame {frame}, patch {patch} "
            f"({int(bad.sum())} of {self.count} tokens); encode in float32 or bfloat16"
        )

    @classmethod
    def gather(cls, parts: Iterable[VideoTokens], total: int) -> VideoTokens:
        """Returns the frames of all `parts` as one run, holding one part at a time besides it.

        Args:
            parts: runs of frames in time order that agree in grid, channels and signals.
            total: number of frames to make room for; fewer may come.
        """
        buffer = TokenBuffer(total)
        for part in parts:
            buffer.add(part)
        return buffer.tokens()

    def frames(self, indices: Sequence[int]) -> VideoTokens:
        """Returns the tokens of the frames at `indices`, which must be ascending."""
        picked = torch.as_tensor(indices, dtype=torch.long, device=self.features.device)
        place = picked.to(self.pts_seconds.device)
        present = self.signals.present()
        return replace(
            self,
            features=self.features[picked],
            pts_seconds=self.pts_seconds[place],
            step_seconds=None if self.step_seconds is None else self.step_seconds[place],
            signals=Signals(**{name: value[picked] for name, value in present.items()}),
            mask=None if self.mask is None else self.mask[picked],
            layers=None if self.layers is None else self.layers[picked],
        )

    def __repr__(self) -> str:
        frames, patches, channels = self.features.shape
        return (
            f"VideoTokens(T={frames}, N={patches}, D={channels}, grid={self.grid}, "
            f"signals={sorted(self.signals.present())})"
        )

    def _check_aligned(self) -> None:
        """Makes sure that all that goes with the features has their places and their device."""
        aligned = self.signals.present()
        for name in ("mask", "layers"):
            if (value := getattr(self, name)) is not None:
                aligned[name] = value
        if self.mask is not None and self.mask.dtype != torch.bool:
            raise InvalidTokensError(f"mask must be {torch.bool}, got {self.mask.dtype}")
        shape = self.features.shape[:2]
        for name, value in aligned.items():
            if value.shape[:2] != shape:
                raise InvalidTokensError(
                    f"{name} must start with (T={shape[0]}, N={shape[1]}), got {tuple(value.shape)}"
                )
            if value.device != self.features.device:
                raise InvalidTokensError(
                    f"{name} is on {value.device}, features are on {self.features.device}"
                )


def check_step_seconds(step_seconds: Tensor | None, first_seconds: Tensor) -> None:
    """Refuses times of frames that do not belong to the times of their steps.

    Args:
        step_seconds: of all frames of each step, `(T, S)`; None where a step is one frame.
        first_seconds: of the first frame of each step, `(T,)`.

    Raises:
        InvalidTokensError: other steps, or times that descend.
    """
    if step_seconds is None:
        return
    first = step_seconds[:, :1].flatten().double()
    if step_seconds.ndim != 2 or not torch.equal(first, first_seconds.double()):
        raise InvalidTokensError(
            f"step_seconds {tuple(step_seconds.shape)} must be (T, S) and begin each row with the "
            f"time of its step, one of {len(first_seconds)}; leave them out where a step is a frame"
        )
    if not bool((step_seconds.flatten().diff() >= 0).all()):
        raise InvalidTokensError("step_seconds must be finite and ascending, step by step")


class TokenBuffer:
    """Joins the tokens of one video window by window, holding one window besides the whole."""

    def __init__(self, total: int, empty: Callable[[Tensor, int], Tensor] | None = None) -> None:
        """Makes room for `total` frames; fewer may come.

        Args:
            total: number of frames.
            empty: returns memory for so many rows like those of a tensor; None for that of torch.
        """
        self._total = total
        self._empty = empty or (lambda like, rows: like.new_empty((rows, *like.shape[1:])))
        self._count = 0
        self._grid = (0, 0)
        self._columns: dict[str, Tensor] = {}

    def add(self, window: VideoTokens) -> None:
        """Takes the next frames, which agree with the others in grid, channels and signals."""
        self._grid, start = window.grid, self._count
        self._count += window.frame_count
        columns = {"features": window.features, "pts_seconds": window.pts_seconds}
        if window.layers is not None:
            columns["layers"] = window.layers
        if window.step_seconds is not None:
            columns["step_seconds"] = window.step_seconds
        for name, value in {**columns, **window.signals.present()}.items():
            there = self._columns.get(name, value).device
            if value.device != there:
                raise InvalidTokensError(
                    f"{name} of one part is on {value.device}, of the parts before on {there}; "
                    "gather tokens of one device"
                )
            if name not in self._columns:
                self._columns[name] = self._empty(value, self._total)
            self._columns[name][start : self._count] = value

    def tokens(self) -> VideoTokens:
        """Returns the tokens of all frames that came."""
        if not self._count:
            raise ValueError("parts must hold at least one frame, got none")
        columns = {name: value[: self._count] for name, value in self._columns.items()}
        own = {name: columns.pop(name) for name in ("features", "pts_seconds")}
        layers, step_seconds = (columns.pop(name, None) for name in ("layers", "step_seconds"))
        return VideoTokens(
            **own,
            grid=self._grid,
            layers=layers,
            step_seconds=step_seconds,
            signals=Signals(**columns),
        )
