"""Visual tokens with their grid, their times and the signals that strategies rank them by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What an encoder knows about its tokens besides their features; each may be absent."""

    attention: Tensor | None = None
    """Attention that each patch receives from the frame's summary token, `(T, N)`."""
    keys: Tensor | None = None
    """Attention keys averaged over heads, `(T, N, Dk)`."""
    edge_density: Tensor | None = None
    """Share of fine strokes in each patch in [0, 1], `(T, N)`; high on text and UI."""
    question_similarity: Tensor | None = None
    """Similarity of each patch to the question, `(T, N)`."""
    pre_projector: Tensor | None = None
    """Features of the vision tower before a vision LLM's projector, `(T, N, Dv)`."""

    def present(self) -> dict[str, Tensor]:
        """Returns the signals that are there, by name."""
        named = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in named if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTokens:
    """The visual tokens of `T` frames with `N = h * w` patches each."""

    features: Tensor
    """Token features `(T, N, D)`, floating point."""
    grid: tuple[int, int]
    """Patch grid `(h, w)` of one frame, in raster order."""
    pts_seconds: Tensor
    """Frame times `(T,)`, ascending."""
    signals: Signals = field(default_factory=Signals)
    mask: Tensor | None = None
    """Tokens that still take part, bool `(T, N)`; None means all of them."""
    layers: Tensor | None = None
    """What deeper LLM layers add to the same tokens (DeepStack), `(T, N, Ld, D)`, else None."""

    def __post_init__(self) -> None:
        if self.features.ndim != 3 or not self.features.is_floating_point():
            raise ValueError(
                f"features must be floating point (T, N, D), got {self.features.dtype} "
                f"{tuple(self.features.shape)}"
            )
        frames, patches, _ = self.features.shape
        if frames == 0 or patches == 0:
            raise ValueError(f"features need T >= 1 and N >= 1, got T={frames}, N={patches}")
        if self.grid[0] * self.grid[1] != patches:
            raise ValueError(f"grid {self.grid} must have N={patches} cells")
        if self.pts_seconds.shape != (frames,):
            raise ValueError(
                f"pts_seconds must be ({frames},), got {tuple(self.pts_seconds.shape)}"
            )
        if bool((self.pts_seconds.diff() < 0).any()):
            raise ValueError("pts_seconds must be ascending")
        aligned = self.signals.present()
        for name in ("mask", "layers"):
            if (value := getattr(self, name)) is not None:
                aligned[name] = value
        for name, value in aligned.items():
            if value.shape[:2] != (frames, patches):
                raise ValueError(
                    f"{name} must start with (T={frames}, N={patches}), got {tuple(value.shape)}"
                )
            if value.device != self.features.device:
                raise ValueError(
                    f"{name} is on {value.device}, features are on {self.features.device}"
                )

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

    @classmethod
    def gather(cls, parts: Iterable[VideoTokens], total: int) -> VideoTokens:
        """Returns the frames of all `parts` as one run, holding one part at a time besides it.

        Args:
            parts: runs of frames in time order that agree in grid, channels and signals.
            total: number of frames to make room for; fewer may come.
        """
        room: dict[str, Tensor] = {}
        grid, count = (0, 0), 0
        for part in parts:
            grid, start, count = part.grid, count, count + part.frame_count
            columns = {"features": part.features, "pts_seconds": part.pts_seconds}
            if part.layers is not None:
                columns["layers"] = part.layers
            for name, value in {**columns, **part.signals.present()}.items():
                if name not in room:
                    room[name] = value.new_empty((total, *value.shape[1:]))
                room[name][start:count] = value
        if not count:
            raise ValueError("parts must hold at least one frame, got none")
        columns = {name: value[:count] for name, value in room.items()}
        own = {name: columns.pop(name) for name in ("features", "pts_seconds")}
        layers = columns.pop("layers", None)
        return cls(**own, grid=grid, layers=layers, signals=Signals(**columns))

    def frames(self, indices: Sequence[int]) -> VideoTokens:
        """Returns the tokens of the frames at `indices`, which must be ascending."""
        picked = torch.as_tensor(indices, dtype=torch.long, device=self.features.device)
        present = self.signals.present()
        return replace(
            self,
            features=self.features[picked],
            pts_seconds=self.pts_seconds[picked.to(self.pts_seconds.device)],
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
