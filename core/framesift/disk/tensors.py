"""Tensors in files: written from where they lie, and memory of them that a file stands for."""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from framesift.disk.temporary import mapped_memory

PIECE_BYTES: Final = 2**18
"""Longest piece of a file, unless one row of a tensor is longer."""
_NAMES: Final = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int32: "I32",
    torch.float32: "F32",
    torch.int64: "I64",
    torch.float64: "F64",
}
"""What safetensors calls each type; those that are not here are written by nothing of ours."""
IN_FILES: Final[WeakValueDictionary[int, mmap.mmap]] = WeakValueDictionary()
"""Memory that files stand for and that tensors lie in, by its address."""


class TensorFile:
    """The content of a safetensors file, in pieces.

    A piece is a view of its tensor's own memory, or, where the type changes or the tensor is on
    another device, a copy of these rows alone.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        *,
        dtypes: Mapping[str, torch.dtype] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Takes what the file holds; the tensors must stay as they are until it is written.

        Args:
            tensors: by name.
            dtypes: the types of those that are written in another than their own, by name.
            metadata: texts that the header holds beside them.
        """
        self._dtypes = {name: value.dtype for name, value in tensors.items()} | dict(dtypes or {})
        # As safetensors wants it: the widest first, so that each begins at a multiple of its width.
        order = sorted(tensors, key=lambda name: (-self._dtypes[name].itemsize, name))
        self._tensors = {name: tensors[name].detach() for name in order}
        header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
        end = 0
        for name, value in self._tensors.items():
            start, end = end, end + value.numel() * self._dtypes[name].itemsize
            kind = _NAMES[self._dtypes[name]]
            header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [start, end]}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._head = len(text).to_bytes(8, "little") + text
        self.size_bytes = len(self._head) + end
        """Length of the whole file."""

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Yields the content of the file from its start to its end."""
        yield self._head
        for name, value in self._tensors.items():
            if value.numel():
                yield from _pieces(value, self._dtypes[name])


def _pieces(value: Tensor, dtype: torch.dtype) -> Iterator[memoryview]:
    rows = value if value.ndim else value[None]
    row_bytes = max(1, rows[0].numel() * dtype.itemsize)
    for some in rows.split(max(1, PIECE_BYTES // row_bytes)):
        flat = some.to("cpu", dtype).contiguous().view(-1)
        yield memoryview(flat.view(torch.uint8).numpy())


def mapped_rows(like: Tensor, rows: int) -> Tensor:
    """Returns memory for so many rows like those of a tensor, on a CPU such as a file stands for.

    Raises:
        StorageError: the file cannot be made, or finds no room.
    """
    shape = (rows, *like.shape[1:])
    size = math.prod(shape) * like.element_size()
    if like.device.type != "cpu" or not size:
        return like.new_empty(shape)
    return _tensor(mapped_memory(size), like.dtype, shape, 0)


def tensors_in(content: mmap.mmap) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors of a file that `TensorFile` wrote, where they lie, and its metadata.

    Raises:
        ValueError: it holds something else.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        metadata = header.pop("__metadata__", {})
        kinds = {name: kind for kind, name in _NAMES.items()}
        tensors = {
            name: _tensor(
                content, kinds[each["dtype"]], each["shape"], 8 + length + each["data_offsets"][0]
            )
            for name, each in header.items()
        }
    except (LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"not a file of tensors: {error}") from error
    return tensors, metadata


def _tensor(content: mmap.mmap, dtype: torch.dtype, shape: Sequence[int], start: int) -> Tensor:
    """Returns a tensor that lies in memory of a file, from a byte on."""
    if not (count := math.prod(shape)):
        return torch.empty(tuple(shape), dtype=dtype)
    found = torch.frombuffer(content, dtype=dtype, count=count, offset=start)
    IN_FILES[found.untyped_storage().data_ptr()] = content
    return found.view(tuple(shape))
