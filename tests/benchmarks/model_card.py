"""Writes the card of the embedded tiny model: what it was measured to know, and not to know.

`PYTHONPATH=tests python -m benchmarks.model_card`
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
import jinja2

from benchmarks import new_wordings
from benchmarks.process import Json
from framesift.disk.writing import write_atomically
from framesift.evaluation import provenance
from framesift.evaluation.answers.answering import BASELINES, Way, answer_all, with_runs
from framesift.evaluation.answers.log import WHOLE, AnswerLog, AnswerRun
from framesift.evaluation.answers.question_sets import span, synthetic
from framesift.evaluation.answers.statistics import OVERALL, shares
from framesift.vlms.load import load_vlm
from framesift.vlms.tiny import FOLDER

FIGURES: Final = "answers.json"
CARD: Final = "README.md"
TEMPLATE: Final = "model_card.md.j2"
NEW: Final = {
    new_wordings.WORDING: "questions in held-out words",
    new_wordings.ANSWERED: 'of these, not refused by "not shown"',
    new_wordings.BALANCED: "yes and no, mean of both",
    new_wordings.YES: "yes: things that are there",
    new_wordings.NO: "no: things that are not",
    new_wordings.UNSHOWN: '"not shown" where there is no answer',
    f"{new_wordings.UNSHOWN}: missing": "of these, about things that other videos show",
    f"{new_wordings.UNSHOWN}: no video": "of these, about things that none shows",
}
"""Groups of `new_wordings`, as the card calls them."""
EARLIER: Final = {
    new_wordings.WORDING: "questions in the earlier held-out words",
    new_wordings.BALANCED: "yes and no in the earlier held-out words, mean of both",
}
"""Groups of its earlier wordings."""
WAYS: Final = (
    *BASELINES,
    *(
        run
        for strategy in ("random", "uniform", "attention", "temporal")
        for keep in (0.25, 0.1)
        for run in with_runs(Way(name=strategy, strategy=strategy, keep=keep))
    ),
    *(
        run
        for strategy in ("random", "temporal")
        for run in with_runs(
            Way(
                name=f"{strategy}, compact positions",
                strategy=strategy,
                keep=0.25,
                positions="compact",
            )
        )
    ),
)


@click.command()
@click.option(
    "-m", "--model", type=click.Path(path_type=Path), default=FOLDER, help="Model folder."
)
@click.option("--videos", type=int, default=150, help="Videos of the test split.")
def main(model: Path, videos: int) -> None:
    """Measure a tiny vision LLM on held-out videos; write its card and the figures beside it."""
    results = measured(model, videos=videos) | {"new": new_wordings.measured(model, videos)}
    write_atomically(model / FIGURES, f"{json.dumps(results, indent=1)}\n".encode())
    write_atomically(model / CARD, card(results).encode())
    for row in results["rows"]:
        click.echo(f"{row['group']:<16}{row['strategy']:<28}{row['keep']:<6}{row['share']:6.1%}")
    click.echo(f"wrote     {model / CARD}, {model / FIGURES}")


def measured(folder: Path, *, videos: int) -> Json:
    """Returns the shares of right answers, by way and group of questions."""
    model = load_vlm(str(folder))
    run = AnswerRun(
        settings={"weights": provenance.fingerprint(folder)},
        versions=provenance.versions(),
        machine=provenance.machine(),
        commit=provenance.commit(),
    )
    with TemporaryDirectory() as temporary:
        path = Path(temporary) / "answers.jsonl"
        log = AnswerLog.opened(path, run)
        for _ in answer_all(model, synthetic("test", videos), WAYS, log, path, timed=0):
            pass
    rows = shares(log.answers, lambda kind: (span(kind), kind))
    return {"run": run.model_dump(), "rows": [row.as_row() for row in rows]}


def card(results: Json) -> str:
    """Returns the card as Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = "{:.1%}".format
    rows = results["rows"]
    return environment.get_template(TEMPLATE).render(
        kinds=[row for row in rows if row["strategy"] == WHOLE],
        ways=[row for row in rows if row["group"] == OVERALL],
        new=_new_rows(results),
    )


def _new_rows(results: Json) -> list[Json]:
    """Returns the rows of `new_wordings` as the card names them."""
    new = results["new"]
    named = [(new["rows"], NEW), (new["earlier"], EARLIER)]
    return [
        row | {"group": names[row["group"]]}
        for rows, names in named
        for row in sorted(
            (row for row in rows if row["group"] in names),
            key=lambda row: list(names).index(row["group"]),
        )
    ]


if __name__ == "__main__":
    main()
