"""Which of a page's subtitles are taken, and the line that says what was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from framesift.sources.timed_text import FORMATS

ORIGINAL: Final = "-orig"
"""Ends the name of captions in the language that is spoken, on sites that also translate them."""
MOST_TRACKS: Final = 2000
"""Tracks of a page that are looked at; a machine translates into two hundred languages."""
MOST_NAMED: Final = 6
"""Languages that a warning names."""
_OTHER_CODES: Final = {
    **{"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "no": "nb", "nor": "nb"},
    **{"alb": "sq", "arm": "hy", "baq": "eu", "bur": "my", "chi": "zh", "cze": "cs", "dut": "nl"},
    **{"fre": "fr", "geo": "ka", "ger": "de", "gre": "el", "ice": "is", "mac": "mk", "mao": "mi"},
    **{"may": "ms", "per": "fa", "rum": "ro", "slo": "sk", "tib": "bo", "wel": "cy"},
}
"""Codes that sites still use for languages which have another one by now, and those of three
letters that yt-dlp does not know."""
_PEOPLE, _HEARD, _TRANSLATED = "by people", "heard by a machine", "translated by a machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Subtitles of a page in one language."""

    language: str
    kind: str
    formats: tuple[Mapping[str, Any], ...]
    """What they can be had in, the best first."""

    def rank(self, languages: Sequence[str]) -> int:
        """Returns which of the preferred languages it has; how many there are if none of them."""
        fits = [_fit(self.language, wanted) for wanted in languages]
        return fits.index(True) if True in fits else len(languages)


def chosen_track(info: Mapping[str, Any], languages: Sequence[str]) -> tuple[Track | None, str]:
    """Returns the subtitles to take, and a line on what was not taken; the line may be empty.

    What people wrote in a preferred language goes first, then what a machine heard in one. A
    machine's translation comes last, behind what people wrote in any other language.
    """
    tracks = list(_tracks(info))
    spoken = _primary(str(info.get("language") or ""))

    def order(track: Track) -> tuple[int, int, bool, bool]:
        rank = track.rank(languages)
        preferred = rank < len(languages)
        kinds = {_PEOPLE: 0 if preferred else 2, _HEARD: 1, _TRANSLATED: 3}
        exact = track.language.lower() == languages[min(rank, len(languages) - 1)].lower()
        return kinds[track.kind], rank, not exact, _primary(track.language) != spoken

    able = [t for t in tracks if t.kind == _PEOPLE or t.rank(languages) < len(languages)]
    taken = min(able, key=order, default=None)
    return taken, _not_taken(taken, tracks, languages)


def _not_taken(taken: Track | None, tracks: Sequence[Track], languages: Sequence[str]) -> str:
    """Returns the line on what was not taken; empty where the first wish was granted."""
    others = [track for track in tracks if track is not taken and track.kind != _TRANSLATED]
    if taken is None:
        if not others:
            return ""
        said = f"no subtitles in {_joined(languages)} were found"
    elif taken.rank(languages) == 0 and taken.kind != _TRANSLATED:
        return ""
    else:
        said = f"the subtitles taken are in {taken.language!r}, {taken.kind}"
        passed = [t for t in tracks if t.rank(languages) < taken.rank(languages)]
        others = [*(t for t in passed if t.kind == _TRANSLATED), *others]
    named = [f"{track.language!r} {track.kind}" for track in others[:MOST_NAMED]]
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    left = f"; not taken were {', '.join(named)}{more}" if named else ""
    return f"{said}{left}; the languages preferred are {_joined(languages)} (language=...)"


def _joined(languages: Sequence[str]) -> str:
    return ", ".join(map(repr, languages))


def _tracks(info: Mapping[str, Any]) -> Iterator[Track]:
    """Yields the tracks that can be read, those of people first."""
    for field in ("subtitles", "automatic_captions"):
        by_language = info.get(field)
        if not isinstance(by_language, Mapping):
            continue
        heard = {str(name)[: -len(ORIGINAL)] for name in by_language if _is_original(str(name))}
        for name, given in list(by_language.items())[:MOST_TRACKS]:
            formats = sorted(_readable(given), key=lambda each: FORMATS.index(each["ext"]))
            if not formats:
                continue
            language = str(name)[:80].removesuffix(ORIGINAL)
            kind = _PEOPLE
            if field == "automatic_captions":
                kind = _TRANSLATED if _is_translated(language, formats[0], heard) else _HEARD
            yield Track(language=language, kind=kind, formats=tuple(formats))


def _is_original(name: str) -> bool:
    return name.endswith(ORIGINAL)


def _is_translated(language: str, track: Mapping[str, Any], heard: set[str]) -> bool:
    """Returns whether captions were translated: the page says what was heard, or the link does."""
    if heard:
        return language not in heard
    try:
        return "tlang" in parse_qs(urlsplit(str(track.get("url"))).query)
    except ValueError:
        return False


def _readable(tracks: object) -> Iterator[Mapping[str, Any]]:
    for track in tracks if isinstance(tracks, list) else ():
        if not isinstance(track, Mapping) or track.get("ext") not in FORMATS:
            continue
        if isinstance(track.get("url"), str) or isinstance(track.get("data"), str):
            yield track


def _fit(name: str, wanted: str) -> bool:
    """Returns whether a track's language is the wanted one, a variety of it, or what it is one of.

    So `en-GB` and `en` fit each other, as a locale of a browser and a track do, but no `en-US`.
    """
    name, wanted = _plain(name), _plain(wanted)
    return f"{name}-".startswith(f"{wanted}-") or f"{wanted}-".startswith(f"{name}-")


def _plain(name: str) -> str:
    """Returns a tag in lower case with the code of its language that most sites use."""
    language, dash, variety = name.lower().replace("_", "-").partition("-")
    return _two_letters(language) + dash + variety


def _primary(name: str) -> str:
    return _plain(name).partition("-")[0]


def _two_letters(name: str) -> str:
    """Returns the code that most sites use for a language of three letters: `en` for `eng`."""
    from yt_dlp.utils import ISO639Utils

    return _OTHER_CODES.get(name) or ISO639Utils.long2short(name) or name
