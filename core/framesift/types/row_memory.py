"""Memory for rows that are made of others."""

from __future__ import annotations

from torch import Tensor

from framesift.disk.tensors import IN_FILES, mapped_rows


def rows_like(like: Tensor, rows: int) -> Tensor:
    """Returns memory for so many rows like those of a tensor, of a file if it lies in one.

    Raises:
        StorageError: the file cannot be made, or finds no room.
    """
    if like.device.type == "cpu" and like.untyped_storage().data_ptr() in IN_FILES:
        return mapped_rows(like, rows)
    return like.new_empty((rows, *like.shape[1:]))
