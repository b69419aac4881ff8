"""Scores frames by a file in which somebody has scored them before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar
from urllib.parse import parse_qs, urlsplit

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError
from framesift.scorers._score_files import Rated, read_frames, read_rated
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import Candidates
from framesift.types.options import Amount, Reachable, Reaches, shown

LISTED = 3
"""Videos or questions of a file that a message names."""


@dataclass(frozen=True, kw_only=True)
class File(Scorer):
    """Takes scores from a file, matched by video, question and time.

    It holds JSON lines, `{"video", "question", "times_seconds", "scores"}`, where `frames`, times
    in seconds, may stand for a choice instead, as what `framesift label` writes; or the object that
    BOLT (https://arxiv.org/abs/2503.21483) writes, `{video: [{question_id, question, frames}]}`; or
    lists of scores as AKS (https://arxiv.org/abs/2502.21271) has them, beside which a second file
    has the frame numbers. A video is found by its address, or the name of its file.
    """

    summary: ClassVar[str] = "scores from a file: JSON lines, or what BOLT and AKS write"
    reads_question: ClassVar[bool] = False

    path: Reachable
    """File of scores, of at most 256 MB."""
    frames: Annotated[str | None, Reaches()] = None
    """File of the frame numbers that lists of scores belong to, with as many lists."""
    row: Amount | None = None
    """Which of several lists of scores to take, from 0 on."""
    question_id: str | None = None
    """Which question of the file to take; None for the one whose text is that of the question."""

    def __post_init__(self) -> None:
        asked = any(each.question is not None for each in read_rated(self.path))
        # Of this file: another question has other scores, where its lines say to which they belong.
        object.__setattr__(self, "reads_question", asked and self.question_id is None)

    def check_question(self, question: object) -> str:
        """Returns the question, or `""` where there is none; a file with one entry needs none."""
        return question if isinstance(question, str) else ""

    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns the file's scores.

        Raises:
            InvalidOptionError: they are of another video, of other questions, or of another length.
        """
        entry = self._entry(candidates.uri, question)
        if entry.is_choice:
            values, reasons = _chosen(entry, candidates), ("not chosen by", "chosen by")
            lines = [f"{reasons[int(values[place])]} {self._name}" for place in places]
        else:
            values = self._scored(entry, candidates)
            lines = [f"{float(values[place]):.3g} in {self._name}" for place in places]
        return Scores(values=values[list(places)].float(), reasons=tuple(lines))

    @property
    def _name(self) -> str:
        return Path(self.path).name

    def _entry(self, uri: str, question: str) -> Rated:
        """Returns what the file says about one video and one question."""
        found = [*read_rated(self.path)]
        if found[0].video is None:
            return self._listed(found)
        found = self._of_video(found, uri)
        about = f"about {shown(uri or found[0].video)}"
        if self.question_id is not None:
            named = [each for each in found if each.name == self.question_id]
            if not named:
                raise InvalidOptionError(
                    f"question_id={self.question_id!r} is none of the questions of {self._name!r} "
                    f"{about}; it has {_some([each.name for each in found])}"
                )
            return named[0]
        if question.strip():
            same = [each for each in found if each.question is None or _same(each, question)]
            exact = [each for each in same if _plain(each.question) == _plain(question)]
            found, others = exact or same, found
            if not found:
                raise InvalidOptionError(
                    f"{self._name!r} has no scores {about} for the question {shown(question)}; it "
                    f"has some for {_some([each.question for each in others])}; ask one of those, "
                    "or name one by question_id"
                )
        if len(found) > 1 and len({_plain(each.question) for each in found}) == 1:
            raise InvalidOptionError(
                f"{self._name!r} has scores for {shown(found[0].question)} {about} "
                f"{len(found)} times, at {found[0].where} and at {found[1].where}; leave one"
            )
        if len(found) > 1:
            raise InvalidOptionError(
                f"{self._name!r} has scores for {len(found)} questions {about}; pass the question, "
                f"or question_id, such as {_some([each.name for each in found])}"
            )
        return found[0]

    def _listed(self, rows: list[Rated]) -> Rated:
        """Returns one of the lists of scores of a file that names no videos."""
        if self.row is None and len(rows) > 1:
            raise InvalidOptionError(
                f"{self._name!r} holds {len(rows)} lists of scores; say which by row=0 to "
                f"{len(rows) - 1}"
            )
        if (row := self.row or 0) >= len(rows):
            raise InvalidOptionError(
                f"row={row} must be 0 to {len(rows) - 1}, the lists of scores of {self._name!r}"
            )
        return replace(rows[row], name=str(row))

    def _of_video(self, entries: list[Rated], uri: str) -> list[Rated]:
        videos = list(dict.fromkeys(str(each.video) for each in entries))
        same = [video for video in videos if video == uri] or [
            video for video in videos if not uri or _names(video) & _names(uri)
        ]
        if len(same) == 1:
            return [each for each in entries if each.video == same[0]]
        if same:
            raise InvalidOptionError(
                f"{self._name!r} has scores of {_some(same)}, and {shown(uri)} may be each of "
                "them; name the videos in it by their addresses"
            )
        raise InvalidOptionError(
            f"{self._name!r} has no scores of {shown(uri)}, only of {_some(videos)}; pass the file "
            "that was made of this video"
        )

    def _scored(self, entry: Rated, candidates: Candidates) -> Tensor:
        scores = torch.tensor(entry.numbers, dtype=torch.float64)
        times = self._times(entry, candidates)
        if times is None:
            if len(scores) != len(candidates):
                raise InvalidOptionError(
                    f"{entry.where} has {len(scores)} scores, and {len(candidates)} frames are "
                    "sampled; sample as it was made, by fps, or say when each score holds: by "
                    "times_seconds, or by frames=FILE for lists"
                )
            return scores
        if len(times) != len(scores):
            raise InvalidOptionError(
                f"{entry.where} has {len(scores)} scores and {len(times)} times; it must have one "
                "of each per frame"
            )
        own = candidates.pts_seconds.double()
        slack = _slack(times, own)
        nearest, apart = _nearest(times, own)
        if float(apart.max()) > slack or float(times[-1]) > _end(candidates) + slack:
            raise InvalidOptionError(
                f"{entry.where} has scores from {float(times[0]):.1f} to {float(times[-1]):.1f} s, "
                f"and the frames are from {float(own[0]):.1f} to {float(own[-1]):.1f} s; they are "
                "of another video, or of another part of it"
            )
        return scores[nearest]

    def _times(self, entry: Rated, candidates: Candidates) -> Tensor | None:
        if self.frames is None:
            given = entry.times_seconds
            return None if given is None else torch.tensor(given, dtype=torch.float64)
        rows, row, name = read_frames(self.frames), int(entry.name or 0), Path(self.frames).name
        if row >= len(rows):
            raise InvalidOptionError(
                f"{name!r} has {len(rows)} lists of frames, and scores are of list {row}; both "
                "files must have as many"
            )
        if candidates.index is None:
            raise InvalidOptionError(
                f"frames={name!r} has frame numbers, and these pictures are of no video file"
            )
        stream = torch.from_numpy(candidates.index.pts_seconds)
        numbers = torch.tensor(rows[row])
        if int(numbers.max()) >= len(stream):
            raise InvalidOptionError(
                f"list {row} of {name!r} names frame {int(numbers.max())}, and this video has "
                f"{len(stream)}; it is of another video"
            )
        if bool((numbers.diff() < 0).any()):
            raise InvalidOptionError(f"list {row} of {name!r} does not ascend; sort it")
        return stream[numbers].double()


def _chosen(entry: Rated, candidates: Candidates) -> Tensor:
    """Returns 1 for the candidates nearest to the times that a file chose, 0 for the others."""
    own = candidates.pts_seconds.double()
    times = torch.tensor(sorted(entry.numbers), dtype=torch.float64)
    nearest, apart = _nearest(own, times)
    slack = _slack(own)
    if float(times[0]) < 0 or float(times[-1]) > _end(candidates) + slack:
        raise InvalidOptionError(
            f"{entry.where} chose {float(times[-1]):.1f} s, and this video ends at "
            f"{_end(candidates):.1f} s; it is of another video"
        )
    values = torch.zeros(len(own))
    # What lies outside of the part that was opened has no candidate near it.
    values[nearest[apart <= slack]] = 1.0
    return values


def _nearest(times: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the place of the time nearest to each wanted one, and how far it is; `(W,)` each."""
    place = torch.searchsorted((times[1:] + times[:-1]) / 2, wanted)
    return place, (times[place] - wanted).abs()


def _slack(*times: Tensor) -> float:
    """Returns how far the nearest of some times may be: less than what lies between two of them.

    The last frame that was scored is nearer to the end of its video than that.
    """
    steps = [float(each.diff().median()) for each in times if len(each) > 1]
    return 0.99 * max(steps, default=1.0)


def _end(candidates: Candidates) -> float:
    """Returns when the video ends, as far as it is known."""
    if candidates.index is None:
        return float(candidates.pts_seconds[-1])
    info = candidates.index.info
    return info.start_seconds + info.duration_seconds


def _names(address: str) -> frozenset[str]:
    """Returns what a video may be called: its address, the name of its file, its id on a site.

    A name before a query counts where it is that of a video: `player.php?id=1` is not `?id=2`.
    """
    parts = urlsplit(address.partition("#")[0])
    path = PurePosixPath(parts.path.replace("\\", "/"))
    ids = parse_qs(parts.query).get("v", [])
    kind = guess_type(path.name)[0] or ""
    named = [path.name, path.stem] if not parts.query or kind.startswith("video/") else []
    return frozenset({address, *named, *ids}) - {""}


def _plain(text: str | None) -> str:
    return " ".join((text or "").casefold().split())


def _same(entry: Rated, question: str) -> bool:
    """Returns whether a question is that of an entry; choices may follow in further lines."""
    texts = (entry.question or "", question)
    theirs, ours = ({_plain(text), _plain(text.strip().partition("\n")[0])} for text in texts)
    return bool(theirs & ours)


def _some(values: Sequence[str | None]) -> str:
    """Returns the first of several names for a message."""
    known = [shown(value) for value in values if value is not None]
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"{', '.join(known[:LISTED]) or 'none with a name'}{more}"
