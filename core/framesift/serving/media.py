"""Videos and pictures in the content of chat messages, however a block spells them.

`content_parts(content)` gives what a message holds, in its order: text as `str`, videos and
pictures as `Media`, and every block of another kind as it is. `media_of(block)` reads one block.
Of a caller that asks for videos only, pictures are blocks of another kind.

`Media.uri` goes to any function of framesift that takes a video, pictures included: a link, a path,
or a data: URI where the block holds bytes, each with `#t=START,END` where the block means a part
(W3C Media Fragments). `Media.fps` goes before a compressor's own.

Nothing is fetched, decoded or judged here; what may be opened is for `FetchLimits` to say, and
`FetchLimits.untrusted()` is what suits blocks from strangers.
"""

from __future__ import annotations

import hashlib
import math
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from framesift.serving import _block_facts as spelling
from framesift.serving._block_facts import Block, Kind
from framesift.sources.link_times import split_part
from framesift.types.video import with_part

_TEXTS: Final = ("text", "input_text", "output_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A video or picture that a block refers to; equal ones compare and hash equal."""

    kind: Kind
    uri: str
    """A link, a path or a data: URI, with `#t=START,END` for a part of the video."""
    fps: float | None = None
    """Frames to sample per second, None where the block does not say."""

    @property
    def id(self) -> str:
        """A name that depends on the address or the bytes alone, the same in every process."""
        return content_id(f"{self.fps}|{self.uri}".encode())

    def __repr__(self) -> str:
        return f"Media({self.kind}, {self.uri[:80]!r})"


def content_id(content: bytes) -> str:
    """Returns a name that depends on `content` alone, for the `id` of a block."""
    return f"framesift-{hashlib.sha256(content).hexdigest()[:32]}"


def data_uri(content: bytes, mime_type: str) -> str:
    """Returns the data: URI that holds `content`, such as the bytes of a video."""
    return f"data:{mime_type};base64,{b64encode(content).decode()}"


def content_parts(
    content: str | list[Any], *, only: Kind | None = None
) -> Iterator[str | Media | Block]:
    """Yields what the content of a message holds: texts, media, and other blocks as they are.

    Args:
        content: of a message, in the words of any provider.
        only: the one kind of media that is read; blocks of the other one come as they are.

    Raises:
        InvalidOptionError: a block of a video or picture is malformed.
        UnsupportedSourceError: it refers to a file that only its provider has.
    """
    for block in [content] if isinstance(content, str) else content:
        if isinstance(block, str):
            yield block
        elif block.get("type") in _TEXTS or _is_bare_text(block):
            yield str(block.get("text", ""))
        else:
            yield media_of(block, only=only) or block


def media_of(block: Block, *, only: Kind | None = None) -> Media | None:
    """Returns the video or picture that a block refers to, None for a block of another kind.

    Read are LangChain's blocks of version 1 and 0, OpenAI's `image_url`, `file` and `input_file`,
    `video_url` of OpenRouter and vLLM, Gemini's `media`, `inline_data` and `file_data` in both
    cases, Anthropic's `source`, and Bedrock's `video`. `fps`, `start` and `end` may stand in the
    block, in its `extras` or in its `video_metadata`; they go before a `#t=` of the link.

    Args:
        block: of a message.
        only: the one kind that is read; None for both.

    Raises:
        InvalidOptionError: it is malformed.
        UnsupportedSourceError: it refers to a file that only its provider has.
    """
    if block.get("type") == "non_standard" and isinstance(block.get("value"), Mapping):
        return media_of(block["value"], only=only)
    facts = spelling.flat(block)
    kind = spelling.kind_of(block, facts)
    if kind is None or only not in (None, kind):
        return None
    uri = spelling.uri_of(kind, facts)
    start, end = spelling.part_of(facts)
    if start is not None or end is not None:
        uri, stated = split_part(uri)
        first, last = stated or (0.0, math.inf)
        uri = with_part(uri, (first if start is None else start, last if end is None else end))
    return Media(kind=kind, uri=uri, fps=spelling.fps_of(facts))


def _is_bare_text(block: Block) -> bool:
    """Returns whether a block is text as Bedrock and Gemini spell it, without a type."""
    return "type" not in block and isinstance(block.get("text"), str)
