"""Results that leave the process: files, what serving engines take, keyframes kept on disk."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from framesift.export import engines

__all__ = ["engines"]
