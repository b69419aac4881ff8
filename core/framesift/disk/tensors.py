"""Tensors as a safetensors file that is written from where they lie, never copied as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor

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
