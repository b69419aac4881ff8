"""Asks a tiny vision LLM what no training has asked: new wordings, yes or no, and not shown.

`PYTHONPATH=tests python -m benchmarks.new_wordings [-m FOLDER] [--against FOLDER] [-o FILE.json]`
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click

import held_out_wordings
from benchmarks.process import Json
from framesift.disk.writing import write_atomically
from framesift.evaluation import provenance
from framesift.evaluation.answers.answering import BASELINES, answer_all
from framesift.evaluation.answers.bootstrap import draws, middle, sums_by_video
from framesift.evaluation.answers.log import WHOLE, Answered, AnswerLog, AnswerRun
from framesift.evaluation.answers.question_sets import (
    FIRST_SEEDS,
    SMALL,
    BenchmarkQuestion,
    BenchmarkVideo,
    address,
    synthetic,
)
from framesift.evaluation.answers.statistics import OVERALL, difference, rounded, shares
from framesift.sources.base import open_video
from framesift.synthetic.inventory import EXISTENCE, WHETHER, Inventory, missing, yes_or_no
from framesift.synthetic.paraphrases import pattern_of
from framesift.synthetic.replies import NOT_SHOWN, Reply
from framesift.synthetic.wordings import KNOWN
from framesift.vlms.load import load_vlm
from framesift.vlms.tiny import FOLDER

QUESTIONS_EACH: Final = 6
PAIRS_EACH: Final = 3
"""Pairs of a thing that is there and one that is not, of a kind, asked in the same words."""
MISSING_EACH, NEVER_EACH = 2, 2
"""Questions about things that are not in the video, and those that no video answers."""
YES: Final = "yes"
NO: Final = "no"
REPLIES: Final[tuple[Reply, Reply]] = (YES, NO)
WORDING, UNSHOWN = "wording", NOT_SHOWN
ALL_TOKENS: Final = tuple(way for way in BASELINES if way.name == WHOLE)
BALANCED: Final = "yes and no, balanced"
CARD: Final = "questions of the card"
ANSWERED: Final = "answers what the video answers"


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """A set of held-out wordings, by the question."""

    questions: dict[str, tuple[str, ...]]
    yes_or_no: dict[str, tuple[str, ...]]


LATER: Final = HeldOut(
    questions=held_out_wordings.LATER_QUESTIONS, yes_or_no=held_out_wordings.LATER_YES_OR_NO
)
EARLIER: Final = HeldOut(
    questions=held_out_wordings.QUESTIONS, yes_or_no=held_out_wordings.YES_OR_NO
)


def videos(count: int, words: HeldOut = LATER) -> Iterator[BenchmarkVideo]:
    """Yields the videos of the model card with other questions about them, in held-out words."""
    for seed in range(FIRST_SEEDS["test"], FIRST_SEEDS["test"] + count):
        uri = address(seed, random.Random(f"questions-{seed}"))
        rng = random.Random(f"new wordings-{seed}")
        with open_video(f"{uri}{SMALL}", text_only=True) as video:
            assert video.truth is not None
            truth = video.truth
        times = [float(second) for second in range(int(truth["seconds"]))]
        seen = Inventory.of(truth["events"], times)
        known = truth["questions"]
        asked = [
            *_worded(known, rng, words),
            *_yes_or_no(seen, rng, words),
            *_not_shown(seen, rng, words),
        ]
        yield BenchmarkVideo(name=f"test-{seed}", uri=uri, fps=1.0, questions=tuple(asked))


def in_new_words(question: str, rng: random.Random, ways: dict[str, tuple[str, ...]]) -> str:
    """Returns one of the held-out templates for a question."""
    pattern, _ = pattern_of(question, KNOWN)
    return rng.choice(ways[held_out_wordings.form_of(pattern)])


def answered(folder: Path, asked: Iterable[BenchmarkVideo]) -> list[Answered]:
    """Returns the answers of a model about some videos, with all tokens."""
    run = AnswerRun(settings={}, versions={}, machine="", commit="")
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / "answers.jsonl"
        log = AnswerLog.opened(path, run)
        for _ in answer_all(load_vlm(str(folder)), asked, ALL_TOKENS, log, path, timed=0):
            pass
    return log.answers


def figures(answers: Sequence[Answered]) -> list[Json]:
    """Returns a row for each group of questions: its share of right answers with its interval."""
    rows = [
        {key: row[key] for key in ("group", "share", "interval", "answers", "videos")}
        for row in (share.as_row() for share in shares(answers, _groups))
        if row["group"] != OVERALL
    ]
    return [*rows, balanced(answers), _not_refused(answers)]


def balanced(answers: Sequence[Answered]) -> Json:
    """Returns the mean of the shares right of yes and of no, with its interval over videos."""
    own = [answer for answer in answers if _groups(answer.kind)[0] in (YES, NO)]
    columns = [
        (a.right * yes, yes, a.right * (1 - yes), 1 - yes)
        for a in own
        for yes in [int(_groups(a.kind)[0] == YES)]
    ]
    sums = sums_by_video([answer.video for answer in own], columns)

    def value(parts: Any) -> Any:
        return (parts[..., 0] / parts[..., 1] + parts[..., 2] / parts[..., 3]) / 2

    resamples = draws(len(sums)) @ sums
    whole = resamples[(resamples[:, 1] > 0) & (resamples[:, 3] > 0)]
    return {
        "group": BALANCED,
        "share": round(float(value(sums.sum(axis=0))), 4),
        "interval": rounded(middle(value(whole))),
        "answers": len(own),
        "videos": len(sums),
    }


def by_wording(answers: Sequence[Answered]) -> dict[str, list[int]]:
    """Returns how often each held-out wording was answered right, and how often it was asked."""
    right, asked = Counter[str](), Counter[str]()
    for answer in answers:
        if _groups(answer.kind)[0] == WORDING:
            words = answer.question.partition(" ")[2]
            right[words] += answer.right
            asked[words] += 1
    return {words: [right[words], asked[words]] for words in sorted(asked)}


def measured(folder: Path, count: int, against: Path | None = None) -> Json:
    """Returns the figures of a model, and how much more is right than of another one."""
    own = answered(folder, videos(count))
    results: Json = {
        "weights": provenance.fingerprint(folder),
        "commit": provenance.commit(),
        "rows": figures(own),
        "by_wording": by_wording(own),
        "earlier": figures(answered(folder, videos(count, EARLIER))),
    }
    if against is not None:
        other = answered(against, videos(count))
        more = {name: _more(own, other, name) for name in (WORDING, YES, NO, UNSHOWN)}
        of_card = [answered(each, synthetic("test", count)) for each in (folder, against)]
        results["against"] = {
            "weights": provenance.fingerprint(against),
            "rows": figures(other),
            "more": more | {CARD: _gap(*of_card)},
        }
    return results


def _worded(
    known: Sequence[Json], rng: random.Random, held_out: HeldOut
) -> Iterator[BenchmarkQuestion]:
    for place in sorted(rng.sample(range(len(known)), min(QUESTIONS_EACH, len(known)))):
        words = in_new_words(known[place]["question"], rng, held_out.questions)
        yield _question(
            f"{place} {words}", words, known[place], f"{WORDING}: {known[place]['kind']}"
        )


def _yes_or_no(
    video: Inventory, rng: random.Random, held_out: HeldOut
) -> Iterator[BenchmarkQuestion]:
    """Yields pairs in the same words, and what can only be there or not."""
    found = {
        (kind, reply): yes_or_no(video, kind, reply, rng)
        for kind in WHETHER
        if kind != "other"
        for reply in REPLIES
    }
    whole = [k for k in WHETHER if k != "other" and found[k, YES] and found[k, NO]]
    for kind in rng.sample(whole, min(PAIRS_EACH, len(whole))):
        words = in_new_words(found[kind, YES]["question"], rng, held_out.yes_or_no)
        for reply in (YES, NO):
            yield _question(f"{reply} {words}", words, found[kind, reply], f"{reply}: {kind}")
    one = [(k, reply) for k, reply in found if k in EXISTENCE and found[k, reply]]
    for kind, reply in rng.sample(one, min(1, len(one))):
        words = in_new_words(found[kind, reply]["question"], rng, held_out.yes_or_no)
        yield _question(f"{reply} {words}", words, found[kind, reply], f"{reply}: {kind}")
    thing = rng.choice(held_out_wordings.NEVER_THERE)
    question = {"question": WHETHER["thing"].format(thing), "answer": NO}
    words = rng.choice(held_out.yes_or_no[WHETHER["thing"].format("{thing}")])
    yield _question(f"never {words}", words.format(thing=thing), question, f"{NO}: never there")


def _not_shown(
    video: Inventory, rng: random.Random, held_out: HeldOut
) -> Iterator[BenchmarkQuestion]:
    asked: dict[str, Json] = {}
    while len(asked) < MISSING_EACH:
        question = missing(video, rng)
        asked[question["question"]] = question
    for place, question in enumerate(asked.values()):
        words = in_new_words(question["question"], rng, held_out.questions)
        yield _question(f"missing-{place} {words}", words, question, f"{UNSHOWN}: missing")
    for place, words in enumerate(rng.sample(held_out_wordings.NOT_SHOWN, NEVER_EACH)):
        question = {"question": words, "answer": NOT_SHOWN}
        yield _question(f"never-{place} {words}", words, question, f"{UNSHOWN}: no video")


def _question(name: str, words: str, question: Json, kind: str) -> BenchmarkQuestion:
    _, parts = pattern_of(question["question"], KNOWN)
    answer = str(question["answer"])
    return BenchmarkQuestion(
        id=name,
        prompt=words.format(**parts),
        kind=kind,
        expected=answer,
        is_right=partial(_same, answer),
        start_seconds=question.get("start_seconds", 0.0),
        end_seconds=question.get("end_seconds", 0.0),
        box=tuple(question.get("box", (0.0, 0.0, 1.0, 1.0))),
    )


def _same(answer: str, reply: str) -> bool:
    return reply.strip().rstrip(".").casefold() == answer.casefold()


def _groups(kind: str) -> tuple[str, str]:
    return kind.partition(": ")[0], kind


def _not_refused(answers: Sequence[Answered]) -> Json:
    """Returns how many questions that the video answers are not answered by `NOT_SHOWN`."""
    own = [answer for answer in answers if _groups(answer.kind)[0] == WORDING]
    kept = [a.model_copy(update={"kind": ANSWERED, "right": a.said != NOT_SHOWN}) for a in own]
    (row,) = (share.as_row() for share in shares(kept) if share.group == ANSWERED)
    return {key: row[key] for key in ("group", "share", "interval", "answers", "videos")}


def _more(own: Sequence[Answered], other: Sequence[Answered], group: str) -> Json:
    mine, theirs = ([a for a in part if _groups(a.kind)[0] == group] for part in (own, other))
    return _gap(mine, theirs)


def _gap(own: Sequence[Answered], other: Sequence[Answered]) -> Json:
    gap = difference(own, other)
    return {"value": round(gap.value, 4), "interval": rounded(gap.interval), "pairs": gap.pairs}


@click.command()
@click.option("-m", "--model", type=click.Path(path_type=Path), default=FOLDER, help="Its folder.")
@click.option("--against", type=click.Path(path_type=Path), help="Folder of a model to compare.")
@click.option("--videos", "count", type=int, default=150, help="Videos of the test split.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="JSON file of the figures.")
def main(model: Path, against: Path | None, count: int, out: Path | None) -> None:
    """Measure what a tiny vision LLM makes of questions that no training has asked."""
    results = measured(model, count, against)
    if out is not None:
        write_atomically(out, f"{json.dumps(results, indent=1)}\n".encode())
    for row in results["rows"]:
        low, high = row["interval"] or (row["share"], row["share"])
        click.echo(
            f"{row['group']:<32}{row['share']:6.1%} {low:6.1%} to {high:6.1%}{row['answers']:6}"
        )
    for row in results["earlier"]:
        if ":" not in row["group"]:
            click.echo(f"earlier words, {row['group']:<32}{row['share']:6.1%} {row['interval']}")
    for name, gap in results.get("against", {}).get("more", {}).items():
        click.echo(f"more right, {name:<20}{gap['value']:+6.1%} {gap['interval']}")


if __name__ == "__main__":
    main()
