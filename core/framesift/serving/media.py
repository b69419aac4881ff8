"""Videos and pictures in the content of chat messages, however a block spells them.

`content_parts(content)` gives what a message holds, in its order: text as `str`, videos and
pictures as `Media`, and every block of another kind as it is. `media_of(block)` reads one block.

`Media.uri` goes to any function of framesift that takes a video, pictures included: a link, a path,
or a data: URI where the block holds bytes, each with `#t=START,END` where the block means a part
(W3C Media Fragments). `Media.fps` goes before a compressor's own.

Nothing is fetched, decoded or judged here; what may be opened is for `FetchLimits` to say, and
`FetchLimits.untrusted()` is what suits blocks from strangers.
"""

from __future__ import annotations

import hashlib
import math
import mimetypes
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from framesift.errors import InvalidOptionError, UnsupportedSourceError
from framesift.fetching.limits import MAX_ADDRESS
from framesift.sources.link_times import split_part
from framesift.types.video import with_part

Block = Mapping[str, Any]
Kind = Literal["video", "image"]

_KINDS: Final[Mapping[str, Kind]] = {
    "video": "video",
    "video_url": "video",
    "input_video": "video",
    "image": "image",
    "image_url": "image",
    "input_image": "image",
}
_BY_MIME_TYPE: Final = ("file", "media", "input_file")
_TEXTS: Final = ("text", "input_text", "output_text")
_HOLDERS: Final = ("extras", "video_metadata", "source", "file", "video_url", "image_url")
_LINKS: Final = ("url", "file_uri", "path", "video_url", "image_url", "video", "image")
_BYTES: Final = ("base64", "data", "file_data")
_MIME_TYPES: Final = ("mime_type", "media_type", "format")
_STARTS: Final = ("start", "start_seconds", "start_offset", "video_start")
_PATH_END: Final = re.compile(r"[?#]")
_ENDS: Final = ("end", "end_seconds", "end_offset", "video_end")


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


def content_parts(content: str | list[Any]) -> Iterator[str | Media | Block]:
    """Yields what the content of a message holds: texts, media, and other blocks as they are.

    Raises:
        InvalidOptionError: a block of a video or picture is malformed.
        UnsupportedSourceError: it refers to a file that only its provider has.
    """
    for block in [content] if isinstance(content, str) else content:
        if isinstance(block, str):
            yield block
        elif block.get("type") in _TEXTS:
            yield str(block.get("text", ""))
        else:
            yield media_of(block) or block


def media_of(block: Block) -> Media | None:
    """Returns the video or picture that a block refers to, None for a block of another kind.

    Read are LangChain's blocks of version 1 and 0, OpenAI's `image_url` and `file`, `video_url` of
    OpenRouter and vLLM, Gemini's `media`, and Anthropic's `source`. `fps`, `start` and `end` may
    stand in the block, in its `extras` or in its `video_metadata`; they go before a `#t=` of the
    link.

    Raises:
        InvalidOptionError: it is malformed.
        UnsupportedSourceError: it refers to a file that only its provider has.
    """
    if block.get("type") == "non_standard" and isinstance(block.get("value"), Mapping):
        return media_of(block["value"])
    facts = _flat(block)
    kind = _kind(block, facts)
    if kind is None:
        return None
    uri = _uri(kind, facts)
    start, end = _number(facts, _STARTS), _number(facts, _ENDS)
    if start is not None or end is not None:
        uri, stated = split_part(uri)
        first, last = stated or (0.0, math.inf)
        uri = with_part(uri, (first if start is None else start, last if end is None else end))
    return Media(kind=kind, uri=uri, fps=_number(facts, ("fps",)))


def _flat(block: Block) -> dict[str, Any]:
    """Returns the keys of a block and of the mappings inside of it, the block's own first."""
    facts: dict[str, Any] = {}
    for holder in _HOLDERS:
        if isinstance(inner := block.get(holder), Mapping):
            facts = {**inner, **facts}
    own = {key: value for key, value in block.items() if not isinstance(value, Mapping)}
    return {**facts, **own}


def _kind(block: Block, facts: Mapping[str, Any]) -> Kind | None:
    given = str(block.get("type"))
    if given not in _BY_MIME_TYPE:
        return _KINDS.get(given)
    family = str(_mime_type(facts)).partition("/")[0]
    return _KINDS.get(family)


def _mime_type(facts: Mapping[str, Any]) -> str | None:
    """Returns the type that a block states, or that the address or name in it tells."""
    if stated := next((facts[key] for key in _MIME_TYPES if facts.get(key)), None):
        return str(stated)
    for key in (*_LINKS, *_BYTES, "filename"):
        given = facts.get(key)
        if not isinstance(given, str):
            continue
        if given[:5].lower() == "data:":
            return given[5:100].partition(",")[0].partition(";")[0]
        if key not in _BYTES and (guessed := _type_of_name(given)):
            return guessed
    return None


def _type_of_name(address: str) -> str | None:
    """Returns the type that the ending of an address tells; one that cannot be read tells none."""
    try:
        return mimetypes.guess_type(_PATH_END.split(address[:MAX_ADDRESS], maxsplit=1)[0])[0]
    except ValueError:
        return None


def _uri(kind: Kind, facts: Mapping[str, Any]) -> str:
    for key in _LINKS:
        if isinstance(link := facts.get(key), str) and link:
            return link
    for key in _BYTES:
        held = facts.get(key)
        if isinstance(held, bytes):
            held = b64encode(held).decode()
        if isinstance(held, str) and held:
            mime_type = _mime_type(facts) or f"{kind}/unknown"
            return held if held[:5].lower() == "data:" else f"data:{mime_type};base64,{held}"
    if file_id := facts.get("file_id") or (
        facts.get("source_type") == "id" and facts.get("id", "without a name")
    ):
        raise UnsupportedSourceError(
            f"a {kind} block refers to the file {str(file_id)[:80]!r} of a provider, which only "
            "the provider can read; give its url or its bytes in base64"
        )
    raise InvalidOptionError(
        f"a {kind} block has the keys {', '.join(sorted(map(str, facts)))}; it needs a url, or "
        "base64 with a mime_type"
    )


def _number(facts: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    """Returns the number, such as 12.5 or Gemini's "12.5s", under the first name that is there."""
    name = next((name for name in names if facts.get(name) is not None), None)
    if name is None:
        return None
    given = facts[name]
    try:
        number = float(given.removesuffix("s") if isinstance(given, str) else given)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise InvalidOptionError(
            f"{name}={given!r} of a block must be a number from 0 up; give seconds, such as 12.5"
        )
    return abs(number)
