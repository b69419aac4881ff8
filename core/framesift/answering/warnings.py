"""The warnings of an answer: what its model cannot do, and what is wrong with its videos."""

from __future__ import annotations

from collections.abc import Sequence

from framesift.run import joined
from framesift.types.compressed import CompressionReport
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Prompt, Turn


def limitation(vlm: VLM, turns: Sequence[Turn]) -> str | None:
    """Returns why the model's answer to these turns means nothing; None where it may."""
    return vlm.limitation([video.report.uri for turn in turns for video in turn.videos])


def answer_warnings(vlm: VLM, turns: Sequence[Turn], question: str, prompt: Prompt) -> list[str]:
    """Returns the warnings of an answer: the model's limitation, its videos', its prompt's."""
    limit = limitation(vlm, turns)
    reports = [video.report for turn in turns for video in turn.videos]
    of_videos = joined([(report.uri, _video_warnings(report, question)) for report in reports])
    return list(dict.fromkeys([*([limit] if limit else []), *of_videos, *prompt.warnings]))


def _video_warnings(report: CompressionReport, question: str) -> list[str]:
    """Returns a report's warnings, and whether its tokens were chosen for another question."""
    if report.question in (None, question):
        return report.warnings
    return [
        *report.warnings,
        f"the tokens were chosen for another question, {report.question[:200]!r}; compress the "
        "video for this one, or by a strategy that reads no question",
    ]
