"""What a batch is about: videos with their ids, and what each row says of its own."""

from __future__ import annotations

import csv
import glob
import io
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from framesift.disk.writing import home_path, read_file
from framesift.errors import InvalidOptionError, SourceError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.registry import require
from framesift.sources.file import is_folder
from framesift.sources.listing import SUFFIXES, list_videos
from framesift.types.options import shown

MANIFESTS: Final = (".txt", ".jsonl", ".csv", ".parquet")
"""Endings of files that name videos, instead of being one."""
MOST_VIDEOS: Final = 10_000_000
VIDEO, ID = "video", "id"
NUMBERS: Final = frozenset({"keep", "max_tokens", "max_frames", "fps", "count"})
"""Options whose values are numbers, which a CSV file has as texts."""
_BETWEEN_CELLS: Final = (",", ";", "\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One video of a batch."""

    id: str
    """Unlike that of any other; results are found by it."""
    video: str
    """An address, or the path of a file, absolute so that it is the same wherever a run begins."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """What its row of the manifest says beside: options and a question, by name."""

    @property
    def saved_own(self) -> dict[str, Any]:
        """`own` as it comes back from JSON."""
        return cast(dict[str, Any], json.loads(json.dumps(dict(self.own), default=str)))


def items_of(
    where: str | Path | Sequence[str | Path],
    *,
    allowed: Iterable[str],
    limits: FetchLimits,
    site: SiteOptions,
) -> list[Item]:
    """Returns the videos of a folder, a pattern, a manifest, a playlist, or several of them.

    Args:
        where: a folder, whose ids are paths from there on; a pattern such as `clips/*.mp4`; a file
            `.txt` (an address a line), `.jsonl`, `.csv` or `.parquet` with a column `video`, and
            where wanted `id` and options; a link to a video, a playlist or a channel.
        allowed: names that columns beside may have.
        limits: what reading a page may cost.
        site: whose login opens a private list.

    Raises:
        InvalidOptionError: a row or column is wrong, ids come twice, or nothing is named.
        SourceError: a place cannot be read.
    """
    places = [where] if isinstance(where, str | Path) else list(where)
    names = frozenset(allowed)
    items = [item for place in places for item in _of_place(place, names, limits, site)]
    if not items:
        raise InvalidOptionError(f"{shown(where)} names no video; give a folder with some")
    twice = [name for name, count in Counter(item.id for item in items).items() if count > 1]
    if twice:
        raise InvalidOptionError(
            f"{len(twice)} ids come more than once, such as {twice[0][:120]!r}; a row "
            "without `id` has its video as one; give rows about one video ids of their own, in a "
            'manifest .jsonl such as {"video": "a.mp4", "id": "a-1"}, or leave the second one out'
        )
    return items


def _of_place(
    place: str | Path, allowed: frozenset[str], limits: FetchLimits, site: SiteOptions
) -> Iterator[Item]:
    text = str(place)
    if isinstance(place, str) and "://" in place:
        yield from _of_list(place, limits, site)
        return
    path = home_path(place, "input")
    if is_folder(str(path)):
        yield from _of_folder(path)
    elif path.suffix.lower() in MANIFESTS:
        yield from _of_manifest(path, allowed)
    elif path.is_file():
        yield Item(id=text, video=str(path.absolute()))
    elif any(letter in text for letter in "*?["):
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  # any path, `**` too
        if not found:
            raise InvalidOptionError(f"no file matches {text!r}")
        for name in found:
            if Path(name).is_file():
                yield Item(id=name, video=str(Path(name).absolute()))
    else:
        raise SourceError(
            f"{text!r} is not there; give a folder, a pattern such as 'clips/*.mp4', a manifest "
            f"({', '.join(MANIFESTS)}) or a link"
        )


def _of_folder(folder: Path) -> Iterator[Item]:
    """Yields the videos in a folder and those beneath, hidden ones left out, by their names."""

    def unread(error: OSError) -> None:
        raise SourceError(f"{str(error.filename)!r} could not be read ({error.strerror})")

    found = list[Path]()
    for root, folders, names in os.walk(folder.absolute(), onerror=unread):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names if not name.startswith(".")]
    for path in sorted(found):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield Item(id=path.relative_to(folder.absolute()).as_posix(), video=str(path))


def _of_list(address: str, limits: FetchLimits, site: SiteOptions) -> Iterator[Item]:
    for video in list_videos(address, limits, site=site, most=MOST_VIDEOS):
        yield Item(id=video.uri, video=video.uri)


def _of_manifest(path: Path, allowed: frozenset[str]) -> Iterator[Item]:
    rows = list(_rows(path))
    if not rows:
        raise InvalidOptionError(f"{path.name} names no video")
    for place, row in rows:
        yield _item(path, place, row, allowed)


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields each row of a manifest, with the place that an error names."""
    if path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path)
        return
    content = read_file(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidOptionError(
            f"{path.name}, line {line}: it is not UTF-8; save the file as UTF-8"
        ) from error
    if path.suffix.lower() == ".csv":
        yield from _csv_rows(path.name, text)
        return
    plain = path.suffix.lower() == ".txt"
    for number, written in enumerate(text.split("\n"), start=1):
        place, row = f"line {number}", written.strip()
        if row and not (plain and row.startswith("#")):
            yield place, {VIDEO: row} if plain else _json(f"{path.name}, {place}", row)


def _json(where: str, line: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        return json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidOptionError(
            f"{where}: it is not JSON ({error}); write an object a line, such as "
            '{"video": "talk.mp4"}'
        ) from error


def _csv_rows(name: str, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the rows of a table whose cells a comma parts, or what programs write instead."""
    head = text.partition("\n")[0].strip("\r")
    between = [each for each in _BETWEEN_CELLS if VIDEO in next(csv.reader([head], delimiter=each))]
    if not between:
        raise InvalidOptionError(
            f"{name}, line 1: it names the columns, and {shown(head)} has none `{VIDEO}`"
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between[0], strict=True)
    try:
        columns = [column.strip() for column in next(reader)]
        for cells in reader:
            place = f"line {reader.line_num}"
            if len(cells) > len(columns):
                raise InvalidOptionError(
                    f"{name}, {place}: it has {len(cells)} cells, and line 1 names {len(columns)} "
                    f"columns; put texts with {between[0]!r} in double quotes"
                )
            row = {column: cell for column, cell in zip(columns, cells, strict=False) if cell}
            if row:
                yield place, row
    except csv.Error as error:
        raise InvalidOptionError(f"{name}, line {reader.line_num}: {error}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    parquet = require("pyarrow.parquet", extra="batch")
    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        line = " ".join(str(error).split())
        raise InvalidOptionError(f"{path.name} is not a Parquet file ({line})") from error
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", {name: value for name, value in row.items() if value is not None}


def _item(path: Path, place: str, row: Any, allowed: frozenset[str]) -> Item:
    where = f"{path.name}, {place}"
    if not isinstance(row, Mapping):
        raise InvalidOptionError(f"{where}: {shown(row)} must be an object, with a `video`")
    own = {name: value for name, value in row.items() if name not in (VIDEO, ID)}
    for name in own:
        if name not in allowed:
            raise InvalidOptionError(
                f"{where}: there is no option {str(name)[:80]!r} of a row; there are "
                f"{', '.join(sorted({VIDEO, ID, *allowed}))}"
            )
    own |= {name: _number(where, name, own[name]) for name in NUMBERS & own.keys()}
    video = row.get(VIDEO)
    if not isinstance(video, str) or not video.strip():
        raise InvalidOptionError(
            f"{where}: video={shown(video)} must be an address or the path of a file"
        )
    address = video.strip()
    if "://" not in address:
        address = str(path.parent.absolute() / address)
    given = row.get(ID, video.strip())
    if not isinstance(given, str | int) or isinstance(given, bool) or str(given) == "":
        raise InvalidOptionError(f"{where}: id={shown(given)} must be a text or a whole number")
    return Item(id=str(given), video=address, own=own)


def _number(where: str, name: str, given: Any) -> int | float:
    """Returns a number, also from its text; equal ones alike, however they are written."""
    try:
        number = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidOptionError(f"{where}: {name}={shown(given)} must be a number")
    return int(number) if number.is_integer() and name != "keep" else number
