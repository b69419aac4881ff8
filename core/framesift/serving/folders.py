"""Folders that a surface may read: files in them may be named, and their videos listed."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote_from_bytes

from framesift.disk.writing import home_path
from framesift.errors import ForbiddenAddressError, FramesiftError, SourceError
from framesift.fetching.limits import MAX_ADDRESS, FetchLimits
from framesift.serving._folder_names import (
    FOLDER_SCHEME,
    FolderPage,
    FolderVideo,
    free_name,
    given_name,
    plain_name,
    root_paths,
)
from framesift.sources.beneath import LinkError, names_beneath, state_beneath
from framesift.sources.file import file_beneath, file_path, is_folder
from framesift.sources.link_times import split_part
from framesift.sources.sites import with_scheme
from framesift.types.options import shown
from framesift.types.video import LocalVideo

ENDINGS: Final = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm")
"""How names of videos end, in any case; what ends otherwise may be opened, but is not listed."""
MOST_NAMES: Final = 500_000
"""Names in a folder, and in those beneath it, that are looked at for a list."""
MOST_COMPARED: Final = 2000
"""Names that one which is not there is compared with."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file is: its allowed folder, and the names from there on."""

    top: Path
    names: tuple[str, ...]

    @property
    def path(self) -> Path:
        return self.top.joinpath(*self.names)


class AllowedFolders:
    """Folders whose files text from a stranger may name, where it may name no others.

    A file is named by its path from a folder on, which begins with the name of the folder where
    there are several; by its whole path; by `file://` or by `videos:///`. No link in a folder is
    followed, so that nothing outside is ever opened, even while names change.
    """

    def __init__(self, folders: Sequence[str | os.PathLike[str]] = ()) -> None:
        """Takes the folders.

        Raises:
            InvalidOptionError: one is not a path.
        """
        self._spelled: dict[Path, Path] = {}
        self._tops: dict[str, Path] = {}
        self._roots: tuple[Path, ...] | None = None
        for folder in folders:
            path = Path(os.path.normpath(home_path(folder, "folder").absolute()))
            top = path.resolve()
            self._spelled |= {path: top, top: top}
            if top not in self._tops.values():
                self._tops[free_name(top.name or "files", self._tops)] = top

    def __bool__(self) -> bool:
        return bool(self._tops)

    @property
    def missing(self) -> list[str]:
        """A line for each folder that is not there now, for the log of a surface that starts."""
        gone = [str(top) for top in self._tops.values() if not top.is_dir()]
        return [f"{path!r} is not a folder; none of its videos can be opened" for path in gone]

    def within(self, roots: Sequence[str] | None) -> AllowedFolders:
        """Returns these folders, narrowed to what lies in folders that a client has named.

        Args:
            roots: `file://` URIs; None or empty narrow nothing, and other addresses hold no file.
        """
        if not roots or not self:
            return self
        narrowed = copy(self)
        narrowed._roots = tuple(root_paths(roots))
        return narrowed

    def opened(self, video: str) -> str | LocalVideo:
        """Returns a file of an allowed folder opened, to be closed, and a link as it is.

        Raises:
            InvalidOptionError: the part that the address selects holds nothing.
            ForbiddenAddressError: the file is in no folder that may be opened, or behind a link.
            SourceError: there is no such file.
        """
        address, part_seconds = split_part(video)
        place = self._place(address)
        if place is None:
            return video
        self._check_roots(place, address)
        local = file_beneath(place.top, place.names, self._name(place))
        return replace(local, part_seconds=part_seconds)

    def listed(self, *, matching: str = "", after: str = "", most: int = 100) -> FolderPage:
        """Returns the videos in these folders and in those beneath, some at a time.

        Args:
            matching: words that a name must hold, in any case.
            after: name of the last video of the page before.
            most: how many videos come at once.
        """
        words, problems = matching.casefold().split(), list[str]()
        named = [
            (name, place)
            for name, place in self._all(problems)
            if all(word in name.casefold() for word in words)
        ]
        named.sort(key=lambda each: each[0])
        last = self._name_in(after)
        left = [(name, place) for name, place in named if name > last]
        page = left[:most]
        more = len(left) > most
        return FolderPage(
            videos=tuple(video for each in page if (video := self._video(*each))),
            total=len(named),
            next_after=given_name(page[-1][0], self._uri(page[-1][1])) if more else None,
            warnings=tuple(problems),
        )

    def _video(self, name: str, place: _Place) -> FolderVideo | None:
        try:
            state = state_beneath(place.top, place.names)
        except OSError:
            return None  # gone since it was listed
        uri = self._uri(place)
        return FolderVideo(
            name=given_name(name, uri),
            uri=uri,
            size_bytes=state.st_size,
            changed=datetime.fromtimestamp(int(state.st_mtime), UTC),
        )

    def _all(self, problems: list[str]) -> Iterator[tuple[str, _Place]]:
        """Yields name and place of each video that may be opened."""
        for label, top in self._tops.items():
            try:
                found = names_beneath(top, MOST_NAMES)
            except OSError as error:
                problems.append(f"{label!r} cannot be listed: {error.strerror or error}")
                continue
            problems += [f"{label}/{path!r} cannot be listed" for path in found.closed[:10]]
            if found.looked_at >= MOST_NAMES:
                problems.append(
                    f"{label!r} holds more than {MOST_NAMES} names; the rest is left out"
                )
            for path in found.found:
                place = _Place(top, tuple(path.split("/")))
                if path.lower().endswith(ENDINGS) and self._is_in_roots(place):
                    yield self._name(place), place

    def _name(self, place: _Place) -> str:
        path = "/".join(place.names)
        return path if len(self._tops) == 1 else f"{self._label(place)}/{path}"

    def _name_in(self, given: str) -> str:
        """Returns the name that one on a list stands for."""
        path = plain_name(given)
        is_labelled = path != given and len(self._tops) == 1
        return path.partition("/")[2] if is_labelled else path

    def _uri(self, place: _Place) -> str:
        path = "/".join((self._label(place), *place.names))
        return FOLDER_SCHEME + quote_from_bytes(os.fsencode(path))

    def _label(self, place: _Place) -> str:
        return next(label for label, top in self._tops.items() if top == place.top)

    def _place(self, address: str) -> _Place | None:
        """Returns where the file is that an address names, None for a link.

        Raises:
            ForbiddenAddressError: it is outside of the folders.
            SourceError: there is no such file.
        """
        is_ours = address.lower().startswith(FOLDER_SCHEME)
        is_file = address[:5].lower() == "file:"
        if not self or len(address) > MAX_ADDRESS or address[:5].lower() == "data:":
            return None
        if not is_ours and not is_file and ("://" in address or not address.strip()):
            return None
        path = plain_name(address) if is_ours else str(file_path(address)) if is_file else address
        if path.startswith("~/"):
            path = str(file_path(path))
        if Path(path).is_absolute():
            place = self._beneath(Path(os.path.normpath(path)))
        else:
            place = self._relative(os.path.normpath(path), is_labelled=is_ours)
            if place is None and with_scheme(address, may_be_file=False) != address:
                return None  # `youtu.be/ID` is a path as well
        if place is None:
            raise self._unknown(path)
        return place

    def _beneath(self, path: Path) -> _Place | None:
        for spelled, top in self._spelled.items():
            if path.is_relative_to(spelled) and path != spelled:
                place = _Place(top, path.relative_to(spelled).parts)
                return place if _is_there(place) else None
        return None

    def _relative(self, path: str, *, is_labelled: bool) -> _Place | None:
        """Returns the first file that a relative path may mean, the way it is listed before all."""
        first, *rest = names = PurePosixPath(path).parts or ("",)
        if first in ("", ".."):
            return None
        places = [_Place(top, tuple(names)) for top in self._tops.values()]
        if first in self._tops and rest:
            labelled = _Place(self._tops[first], tuple(rest))
            places.insert(0 if is_labelled or len(places) > 1 else 1, labelled)
        return next(filter(_is_there, places), None) or next(self._spelled_alike(path), None)

    def _spelled_alike(self, path: str) -> Iterator[_Place]:
        """Yields the videos whose name is the same but for how its accents are encoded."""
        if not path.isascii():
            plain = unicodedata.normalize("NFC", path)
            for name, place in self._all([]):
                if unicodedata.normalize("NFC", name) == plain:
                    yield place

    def _unknown(self, path: str) -> FramesiftError:
        """Returns the line about a path that leads to no file in these folders."""
        named = ", ".join(map(shown, self._tops))
        folders = f"the folder {named}" if len(self._tops) == 1 else f"the folders {named}"
        allowed = f"give the name of a video in {folders}, or an http(s):// link"
        whole = Path(os.path.normpath(path))
        inside = not whole.is_absolute() or any(map(whole.is_relative_to, self._spelled))
        if not inside or whole.parts[:1] == ("..",):
            line = f"{shown(path)} is outside of what may be opened; {allowed}"
            return ForbiddenAddressError(line)
        names = [name for name, _ in self._all([])]
        by_file = {name.rpartition("/")[2].casefold(): name for name in reversed(names)}
        sought = path.replace("\\", "/").rpartition("/")[2].casefold()
        close = [by_file[sought]] if sought in by_file else []
        close = close or get_close_matches(path, names[:MOST_COMPARED], n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return SourceError(f"there is no video {shown(path)}; {hint}{allowed}")

    def _check_roots(self, place: _Place, address: str) -> None:
        if not self._is_in_roots(place):
            roots = ", ".join(map(str, self._roots or ())) or "none on this machine"
            raise ForbiddenAddressError(
                f"{shown(address)} is outside of the roots of this client ({roots}); give a video "
                "within them, or ask the user to add its folder to the roots"
            )

    def _is_in_roots(self, place: _Place) -> bool:
        return self._roots is None or any(map(place.path.is_relative_to, self._roots))


def folder_of(source: str | Path, limits: FetchLimits) -> Path | None:
    """Returns the folder that a path names, None for a file, a link, or text that may name none.

    Args:
        source: a path or a link; a `Path` may always be looked at.
        limits: say whether text may name files.
    """
    if source == "":
        return None  # not the folder that one works in
    may_look = isinstance(source, Path) or (limits.allow_files and "://" not in source)
    return file_path(str(source)) if may_look and is_folder(str(source)) else None


def _is_there(place: _Place) -> bool:
    """Returns whether a file is there, or a link, which is refused by its name."""
    try:
        state_beneath(place.top, place.names)
    except LinkError:
        return True
    except (OSError, ValueError):
        return False
    return True
