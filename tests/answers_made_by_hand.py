"""Answers and logs of which every figure is known."""

from collections.abc import Iterable, Mapping

from framesift.evaluation.answers.log import Answered, AnswerLog, AnswerRun

WHOLE_TOKENS = 1000


def answered(video: str, question: str, right: bool, **changes: object) -> Answered:
    """Returns an answer of 'temporal' at keep 0.25."""
    facts = {
        "video": video,
        "question": question,
        "kind": "number",
        "strategy": "temporal",
        "keep": 0.25,
        "tokens": round(float(changes.get("keep", 0.25)) * WHOLE_TOKENS),
        "tokens_before": WHOLE_TOKENS,
        "expected": "44",
        "said": "44" if right else "7",
        "right": right,
    }
    return Answered.model_validate({**facts, **changes})


def marked(marks: Mapping[str, str], **changes: object) -> list[Answered]:
    """Returns answers by video, one a mark: '+' is right, '-' wrong, ' ' not asked."""
    return [
        answered(video, f"question {number}", mark == "+", **changes)
        for video, line in marks.items()
        for number, mark in enumerate(line)
        if mark != " "
    ]


def log(answers: Iterable[Answered], **changes: object) -> AnswerLog:
    """Returns a log of the model 'tiny' with some of its run changed."""
    facts = {
        "settings": {"model": "tiny"},
        "versions": {"torch": "2.6.0"},
        "machine": "two cores",
        "commit": "abc",
    }
    return AnswerLog(run=AnswerRun.model_validate({**facts, **changes}), answers=list(answers))
