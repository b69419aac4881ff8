"""Keeps cookies out of the debug log of httpcore, which writes headers down."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_private: Final[ContextVar[bool]] = ContextVar("private", default=False)


@contextmanager
def unlogged() -> Iterator[None]:
    """Lets httpcore log nothing in this context; other users of it are not concerned."""
    token = _private.set(True)
    try:
        yield
    finally:
        _private.reset(token)


def _is_public(_: logging.LogRecord) -> bool:
    return not _private.get()


for _name in ("httpcore.http11", "httpcore.connection"):
    logging.getLogger(_name).addFilter(_is_public)
