"""Long videos of a batch: each of their stretches is encoded by itself, and kept until the row is.

A worker begins the ordinary work on a video. Where that wants the tokens of more than one stretch,
it ends with the names of those that are not there yet. Each of them is made by the same work again,
which ends where it has written the one. When all are there the work goes through, with the tokens
of the files in place of encoding: everything behind is what it is for any other video.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from framesift._version import __version__
from framesift.batching.items import Item
from framesift.batching.store import STRETCHES, Store, digest_of
from framesift.batching.work import Done, Work, work_on
from framesift.compression.content import content_key
from framesift.compression.stretches import Maker, Stretches, Window, stretches_by
from framesift.disk.tensors import TensorFile, mapped_rows, tensors_in
from framesift.errors import InvalidTokensError
from framesift.types.tokens import Signals, TokenBuffer, VideoTokens

_OWN: Final = ("features", "pts_seconds", "layers", "step_seconds")
"""Columns of tokens that are no signals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What must be made before the work on a video can go through."""

    id: str
    names: tuple[str, ...]
    """Of its stretches, as `work_on_part` takes them."""


def work_on_part(work: Work, item: Item, store: Store, name: str | None = None) -> Done | Missing:
    """Does what can be done on a video before others do their part, or makes one stretch of it.

    Args:
        work: what is done.
        item: the video.
        store: where results and stretches lie.
        name: the stretch to make; None for the work that ends with a row.

    Raises:
        ResultError: a result cannot be written.
    """
    if "://" in item.video and not item.video.startswith("file://"):
        return work_on(work, item, store)  # each stretch would fetch it again
    maker = _Maker(work=work, item=item, store=store, name=name)
    try:
        with stretches_by(maker):
            done = work_on(work, item, store)
    except _Waiting as waiting:
        return Missing(id=item.id, names=waiting.names)
    if maker.is_used:
        forget(store, item.id)
    return done


def forget(store: Store, video_id: str) -> None:
    """Removes the stretches of a video, once its row is written."""
    store.clear(_folder(video_id))


class _Waiting(BaseException):
    """Ends the work on a video until others have done theirs; no error that anybody may catch."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names


@dataclass(kw_only=True)
class _Maker(Maker):
    """Gives the tokens of the stretches of one video from files, or ends the work for them."""

    work: Work
    item: Item
    store: Store
    name: str | None
    is_used: bool = field(default=False, init=False)

    def windows(self, stretches: Stretches) -> Iterator[Window]:
        """Yields the tokens of all stretches where these are there."""
        self.is_used, key = True, self._key(stretches)
        folder = _folder(self.item.id)
        names = tuple(f"{folder}/{key}-{n:04d}.safetensors" for n in range(len(stretches.parts)))
        if self.name in names and not self.store.has(self.name):
            self._make(stretches, names.index(self.name), self.name)
            raise _Waiting(())
        missing = tuple(name for name in names if not self.store.has(name))
        if missing or self.name in names:
            raise _Waiting(missing)
        for name in names:
            yield from self._read(name, stretches.encoder.grid)

    @property
    def empty(self) -> Callable[[Tensor, int], Tensor]:
        """What returns memory that a file stands for, so that the system need not hold it all."""
        return mapped_rows

    def _key(self, stretches: Stretches) -> str:
        """Returns what tells these tokens from any others of the video."""
        signals, gate = stretches.signals, stretches.gate
        told = {
            "versions": [__version__, torch.__version__],
            "video": content_key(stretches.reader),
            "encoder": [stretches.encoder.spec, stretches.encoder.weights],
            "options": {name: str(value) for name, value in self.work.options.items()},
            "own": self.item.saved_own,
            "signals": None if signals is None else sorted(signals),
            "gate": None if gate is None else asdict(gate),
        }
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
        for part in stretches.parts:
            digest.update(np.array([len(part), *part], dtype=np.int64).tobytes())
        return digest.hexdigest()[:32]

    def _make(self, stretches: Stretches, number: int, name: str) -> None:
        steps = stretches.encoder.steps(len(stretches.parts[number]))
        buffer, encoded, frames = TokenBuffer(steps, mapped_rows), list[Tensor](), list[int]()
        for window in stretches.windows(number):
            buffer.add(window.tokens)
            encoded.append(window.encoded)
            frames.extend(window.frames)
        columns = {"frames": torch.tensor(frames, dtype=torch.int64)}
        device = "cpu"
        if frames:
            tokens = buffer.tokens()
            device = str(tokens.features.device)
            columns |= {"encoded": torch.cat(encoded), **tokens.signals.present()}
            own = {column: getattr(tokens, column) for column in _OWN}
            columns |= {column: value for column, value in own.items() if value is not None}
        self.store.write(name, TensorFile(columns, metadata={"device": device}).pieces())

    def _read(self, name: str, grid: tuple[int, int]) -> Iterator[Window]:
        content = self.store.mapped(name)
        if content is None:
            raise InvalidTokensError(f"{name} was removed while it was in use; run the batch again")
        columns, metadata = tensors_in(content)
        device = metadata["device"]
        frames = columns.pop("frames").tolist()
        if not frames:
            return
        encoded, times = columns.pop("encoded"), {"pts_seconds", "step_seconds"}
        placed = {
            name: value if name in times else value.to(device) for name, value in columns.items()
        }
        own: dict[str, Any] = {column: placed.pop(column, None) for column in _OWN}
        tokens = VideoTokens(**own, grid=grid, signals=Signals(**placed))
        yield Window(tokens=tokens, frames=frames, encoded=encoded)


def _folder(video_id: str) -> str:
    return f"{STRETCHES}/{digest_of(video_id.encode('utf-8', 'surrogatepass'))}"
