"""The card of the embedded tiny model: what it was measured to know, and what it is not for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import jinja2

from framesift.evaluation import _bench_answers
from framesift.evaluation._bench_process import Json
from framesift.storage import write_atomically

FIGURES: Final = "answers.json"
CARD: Final = "README.md"

TEMPLATE: Final = "model_card.md.j2"


def write_card(folder: Path, *, videos: int) -> Json:
    """Returns the figures of the model in `folder` over `videos` seeds of each scene.

    The card and the figures are written beside the model.
    """
    results = _bench_answers.measure(videos=videos, vlm=str(folder))
    write_atomically(folder / FIGURES, f"{json.dumps(results, indent=1)}\n".encode())
    write_atomically(folder / CARD, card(results).encode())
    return results


def card(results: Json) -> str:
    """Returns the card as Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("framesift.evaluation"),
        autoescape=False,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = "{:.1%}".format
    rows = results["rows"]
    return environment.get_template(TEMPLATE).render(
        kinds=[row for row in rows if row["name"] == _bench_answers.WHOLE.name],
        ways=[row for row in rows if row["video"] == "overall"],
    )
