"""What a block of a chat message says of a video or picture, whichever provider's words it uses."""

from __future__ import annotations

import math
import mimetypes
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final, Literal

from framesift.errors import InvalidOptionError, UnsupportedSourceError
from framesift.fetching.limits import MAX_ADDRESS
from framesift.sources.sites import is_known_page
from framesift.types.options import shown

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
_BY_MIME_TYPE: Final = ("file", "media", "input_file", "inline_data", "file_data")
_HOLDERS: Final = (
    "extras",
    "video_metadata",
    "source",
    "s3_location",
    "file",
    "video",
    "video_url",
    "input_video",
    "image",
    "image_url",
    "inline_data",
    "file_data",
)
_LINKS: Final = (
    "url",
    "file_uri",
    "file_url",
    "uri",
    "path",
    "video_url",
    "image_url",
    "video",
    "image",
)
_BYTES: Final = ("base64", "data", "bytes", "file_data")
_MIME_TYPES: Final = ("mime_type", "media_type", "format")
_ANY_BYTES: Final = "application/octet-stream"
"""What clients state that do not know the type of a file; its name may tell it."""
_STARTS: Final = ("start", "start_seconds", "start_offset", "video_start")
_ENDS: Final = ("end", "end_seconds", "end_offset", "video_end")
_DEEPEST: Final = 4
"""Mappings within mappings that a block of any provider has."""
_PATH_END: Final = re.compile(r"[?#]")
_OF_PROVIDERS: Final = ("s3://", "gs://", "ms://", "https://generativelanguage.googleapis.com/")
"""How addresses of files begin that are in a provider's own store."""


def flat(block: Block, depth: int = 0) -> dict[str, Any]:
    """Returns the facts of a block and of the mappings inside of it, the block's own first.

    Gemini's keys come in two spellings, `mimeType` and `mime_type`: here they have the second.
    """
    given = {_snake(str(key)): value for key, value in block.items()}
    facts: dict[str, Any] = {}
    for holder in _HOLDERS:
        if isinstance(inner := given.get(holder), Mapping) and depth < _DEEPEST:
            facts = {**flat(inner, depth + 1), **facts}
    times = (*_STARTS, *_ENDS)
    own = {k: v for k, v in given.items() if not isinstance(v, Mapping) or k in times}
    return {**facts, **own}


def kind_of(block: Block, facts: Block) -> Kind | None:
    """Returns what a block of these facts holds, None for neither a video nor a picture."""
    stated = block.get("type")
    if stated is None:
        # Bedrock and DashScope name a block by its key, and so does Gemini.
        kinds: tuple[Kind, ...] = ("video", "image")
        named = next((k for k in kinds if isinstance(block.get(k), Mapping | str)), None)
        if named or not any(_snake(str(key)) in ("inline_data", "file_data") for key in block):
            return named
    elif (name := _snake(str(stated))) not in _BY_MIME_TYPE:
        return _KINDS.get(name)
    family = str(_mime_type(facts)).partition("/")[0].lower()
    return _KINDS.get(family)


def uri_of(kind: Kind, facts: Block) -> str:
    """Returns the link or path in a block, or the data: URI of the bytes in it.

    Raises:
        InvalidOptionError: there is none.
        UnsupportedSourceError: the block refers to a file that only its provider has.
    """
    if link := next(_texts(facts, _LINKS), None):
        if link.lower().startswith(_OF_PROVIDERS):
            raise _out_of_reach(kind, link)
        return link
    for key in _BYTES:
        held = facts.get(key)
        if isinstance(held, bytes | bytearray | memoryview):
            held = b64encode(held).decode()
        if isinstance(held, str) and held:
            mime_type = _mime_type(facts) or f"{kind}/unknown"
            return held if held[:5].lower() == "data:" else f"data:{mime_type};base64,{held}"
    if file_id := facts.get("file_id") or (
        facts.get("source_type") == "id" and facts.get("id", "without a name")
    ):
        raise _out_of_reach(kind, file_id)
    for key in _LINKS:
        if isinstance(path := facts.get(key), PurePath):
            raise InvalidOptionError(
                f"{key}={shown(path)} of a {kind} block is a path object, and blocks hold text; "
                "give the path as text where files may be named, or the bytes in base64"
            )
    raise InvalidOptionError(
        f"a {kind} block has the keys {', '.join(sorted(facts))}; it needs a url, or base64 with "
        "a mime_type"
    )


def part_of(facts: Block) -> tuple[float | None, float | None]:
    """Returns the start and end that a block states, in seconds; None for what it does not.

    Raises:
        InvalidOptionError: one is no number of seconds.
    """
    return _number(facts, _STARTS), _number(facts, _ENDS)


def fps_of(facts: Block) -> float | None:
    """Returns the frames to sample per second, None where a block does not say.

    Raises:
        InvalidOptionError: it is no number.
    """
    return _number(facts, ("fps",))


def _snake(key: str) -> str:
    """Returns `mime_type` for `mimeType`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def _texts(facts: Block, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        if isinstance(text := facts.get(key), str) and text:
            yield text


def _mime_type(facts: Block) -> str | None:
    """Returns the type that a block states, or that the address or name in it tells."""
    for stated in _texts(facts, _MIME_TYPES):
        written = stated if "/" in stated else _type_of_name(f"any.{stated}")
        if written and written != _ANY_BYTES:
            return written
    for given in _texts(facts, (*_LINKS, *_BYTES, "filename")):
        if given[:5].lower() == "data:":
            stated = given[5:100].partition(",")[0].partition(";")[0]
            if stated and stated.lower() != _ANY_BYTES:
                return stated
    for name in _texts(facts, (*_LINKS, "filename")):
        if name[:5].lower() != "data:" and (guessed := _type_of_name(name)):
            return guessed
    if any(is_known_page(link) for link in _texts(facts, _LINKS)):
        return "video/*"
    return None


def _type_of_name(address: str) -> str | None:
    """Returns the type that the ending of an address tells; one that cannot be read tells none."""
    try:
        return mimetypes.guess_type(_PATH_END.split(address[:MAX_ADDRESS], maxsplit=1)[0])[0]
    except ValueError:
        return None


def _out_of_reach(kind: Kind, name: object) -> UnsupportedSourceError:
    return UnsupportedSourceError(
        f"a {kind} block refers to the file {str(name)[:80]!r} of a provider, which only the "
        "provider can read; give its url or its bytes in base64"
    )


def _number(facts: Block, names: tuple[str, ...]) -> float | None:
    """Returns the number under the first name that is there.

    It is one such as 12.5, or Gemini's `"12.5s"` or `{"seconds": 12, "nanos": 500000000}`.
    """
    name = next((name for name in names if facts.get(name) is not None), None)
    if name is None:
        return None
    given = facts[name]
    try:
        if isinstance(given, Mapping):
            number = float(given.get("seconds", 0)) + float(given.get("nanos", 0)) / 1e9
        else:
            number = float(given.removesuffix("s") if isinstance(given, str) else given)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise InvalidOptionError(
            f"{name}={shown(given)} of a block must be a number from 0 up; give seconds, such as "
            "12.5"
        )
    return abs(number)
