"""`framesift bench`: right answers about shortened videos, their curves, and what a card takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

import framesift
from framesift.cli import options, reading, selecting, terminal
from framesift.cli.groups import WholeSummaries
from framesift.cli.parameters import names_of
from framesift.disk.writing import write_atomically
from framesift.errors import InvalidOptionError
from framesift.evaluation.answers import question_sets
from framesift.evaluation.answers.log import KEEPS, AnswerLog, AnswerRun
from framesift.evaluation.answers.real_clips import fetch_clips, read_questions
from framesift.registry import require
from framesift.run import progress_bar

if TYPE_CHECKING:
    from framesift.vlms.base import VLM

REAL = "real"
DRAWN = {"synthetic": question_sets.synthetic, "glimpses": question_sets.glimpses}
"""Question sets about synthetic videos, by the name that `--questions` takes."""


class Bench(WholeSummaries):
    """Commands, and one line for those who look for the measurements of speed and memory."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuses sections and options of the benchmark, which is not installed."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            ctx.fail(
                f"bench has no {args[0]!r}, only {', '.join(self.commands)}; speed and memory on "
                "a CPU are measured by `make bench` in a checkout of the repository"
            )
        return super().parse_args(ctx, args)


@click.group("bench", cls=Bench)
def app() -> None:
    """Measure what compression costs in right answers."""


app.add_command(selecting.selection)
app.add_command(reading.reading)
app.add_command(selecting.selection_questions)


@app.command("answers")
@click.option(
    "-o",
    "--out",
    type=options.GivenPath(path_type=Path),
    default="answers.jsonl",
    help="Log of answers.",
)
@click.option(
    "--questions",
    default="synthetic",
    help="'synthetic'; 'glimpses', whose answers lie in a few tokens each; 'real'; or a JSON-lines "
    "file of questions about clips.",
)
@click.option("--split", type=click.Choice(get_args(question_sets.Split)), default="test")
@click.option("--videos", type=int, default=40, help="Synthetic videos.")
@click.option("--clips", type=click.Path(path_type=Path), help="Folder of the real clips.")
@click.option("--fetch", is_flag=True, help="Download real clips that the folder lacks.")
@click.option(
    "--vlm",
    default="tiny",
    shell_complete=names_of("vlms"),
    help="What answers: a name, a hub id or a folder.",
)
@click.option(
    "-s",
    "--strategy",
    "strategies",
    multiple=True,
    metavar="[NAME=]SPEC",
    shell_complete=names_of("strategies"),
    help="May be repeated; all. With --max-visual-tokens it may have a name; NAME#1, NAME#2 are "
    "runs of one way, such as seeds of a training.",
)
@click.option(
    "-k",
    "--keep",
    "keeps",
    type=float,
    multiple=True,
    show_default=", ".join(map(str, KEEPS)),
    help="Share of the tokens; may be repeated.",
)
@click.option(
    "--max-visual-tokens",
    "bounds",
    multiple=True,
    metavar="N",
    help="Instead of --keep: the most visual tokens of a video, the same for every way, as a "
    "number or as a share such as 0.25; repeatable, or several with commas for a curve.",
)
@click.option(
    "--against",
    multiple=True,
    metavar="NAME",
    help="Another way that all are compared with under each bound; may be repeated.",
)
def answers(
    out: Path,
    questions: str,
    split: question_sets.Split,
    videos: int,
    clips: Path | None,
    fetch: bool,
    vlm: str,
    strategies: tuple[str, ...],
    keeps: tuple[float, ...],
    bounds: tuple[str, ...],
    against: tuple[str, ...],
) -> None:
    """Ask a model about shortened videos, and log each answer.

    A run that was broken off goes on where it was; one with more videos adds to it. The twenty
    questions about real clips are a proof of concept. `random` is the mean over five seeds.

    With --max-visual-tokens every way gets at most as many visual tokens. Evenly spaced frames in
    full are always among them. The table has the real number of tokens, questions by kind,
    differences on the same questions, and how far each way can be compressed; figures and a plot
    lie beside the log.
    """
    from framesift.evaluation.answers import answering
    from framesift.evaluation.bounds import ways

    _check_budgets(keeps, bounds, against)
    within = ways.bounds_of(bounds)
    model = framesift.load_vlm(vlm)
    if within:
        chosen, left_out = ways.bounded_ways(model, strategies or None, within, against)
    else:
        chosen, left_out = answering.ways(model, strategies or None, sorted({*keeps} or KEEPS))
    if questions in DRAWN:
        count, question_videos = videos, DRAWN[questions](split, videos)
    else:
        clip_videos = _clip_videos(clips, None if questions == REAL else Path(questions), fetch)
        count, question_videos = len(clip_videos), iter(clip_videos)
    limits: dict[str, str] = {}
    log = AnswerLog.opened(out, _run(questions, split, vlm, model))
    ways.check_goes_on(log, chosen)
    with progress_bar("answers", total=count, unit="video") as bar:
        for video in answering.answer_all(model, question_videos, chosen, log, out):
            found = {way.name: way.part.limitation(video.uri) for way in chosen}
            limits = {name: limit for name, limit in found.items() if limit} | limits
            bar.update(1)
    written = _told(log, out, against, is_bounded=bool(bounds))
    for name, limit in limits.items():
        terminal.line(f"warning   {name}: {limit}")
    for name, reason in left_out.items():
        terminal.line(f"left out  {name}: {reason}")
    for path in written:
        terminal.line(f"wrote     {path}")


def _told(log: AnswerLog, out: Path, against: Sequence[str], *, is_bounded: bool) -> list[Path]:
    """Prints what a log shows, and returns its file and those of its figures."""
    if not is_bounded:
        from framesift.evaluation.answers.verdict import verdict
        from framesift.evaluation.curves.plots import table_lines

        terminal.echo("\n".join([*table_lines(log), "", *verdict(log)]))
        return [out]
    from framesift.evaluation.bounds.plot import write_plot
    from framesift.evaluation.bounds.results import as_json, result_lines, results

    figures = results(log, against)
    terminal.echo("\n".join(result_lines(figures)))
    path = write_atomically(out.with_name(f"{out.stem}.bounds.json"), as_json(figures))
    return [out, path, write_plot(out.with_name(f"{out.stem}.bounds.png"), figures)]


@app.command("gpu")
@click.option("-o", "--out", type=options.GivenPath(path_type=Path), default="gpu", help="Folder.")
@click.option(
    "--size",
    type=click.Choice(["7b", "tiny"]),
    default="7b",
    help="Models of seven billion random weights, which take six minutes and 24 GB of memory on a "
    "card, or tiny ones.",
)
@click.option("--device", show_default="the GPU where there is one", help="Such as cuda:1 or cpu.")
@options.as_json
def gpu(out: Path, size: str, device: str | None, as_json: bool) -> None:
    """Measure this machine's card: compression beside transformers alone, in one run.

    Models have random weights, and nothing is downloaded. It needs framesift[hf,bench] and a GPU;
    with torchvision the own path includes its processor. Figures are written as JSON after each
    section and as one picture at the end, and set beside what is asked of a card. A section that
    fails, as one for which a card is too small, is named, and the others are measured.
    """
    from framesift.evaluation.gpu.measure import SIZES, bench_device, measure
    from framesift.evaluation.gpu.picture import write_picture
    from framesift.evaluation.gpu.words import result_lines

    def coming(what: str) -> None:
        click.echo(f"...       {what}", err=True)

    def keep(results: dict[str, Any]) -> None:
        write_atomically(out / "gpu.json", json.dumps(results, indent=1).encode())

    require("matplotlib", extra="bench")  # said before minutes of measuring
    chosen = bench_device(device, size)
    out.mkdir(parents=True, exist_ok=True)
    results = measure(SIZES[size], chosen, coming, keep)
    keep(results)
    written = [out / "gpu.json", write_picture(out / "gpu.png", results)]
    if as_json:
        click.echo(json.dumps(results))
        return
    terminal.echo("\n".join(result_lines(results)))
    for path in written:
        terminal.line(f"wrote     {path}")


@app.command("compare")
@click.argument("one", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("other", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options.as_json
def compared(one: Path, other: Path, as_json: bool) -> None:
    """Compare the answers of two logs, question by question."""
    from framesift.evaluation.answers.compare import compare, compare_lines

    rows = compare(AnswerLog.read(one), AnswerLog.read(other))
    if as_json:
        click.echo(json.dumps([row.as_row() for row in rows]))
    else:
        terminal.echo("\n".join(compare_lines(rows)))


@app.command("curves")
@click.argument("log", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o", "--out", type=options.GivenPath(path_type=Path), default="curves", help="Folder."
)
def curves(log: Path, out: Path) -> None:
    """Draw tokens against right answers: PNG, SVG, one self-contained page, and the figures."""
    from framesift.evaluation.curves.page import write_curves

    for path in write_curves(out, AnswerLog.read(log)):
        terminal.line(f"wrote     {path}")


def _check_budgets(keeps: Sequence[float], bounds: Sequence[str], against: Sequence[str]) -> None:
    if bounds and keeps:
        raise InvalidOptionError("--keep and --max-visual-tokens exclude each other; give one")
    if against and not bounds:
        raise InvalidOptionError("--against compares ways under one bound: --max-visual-tokens N")
    if bounds:
        require("matplotlib", extra="bench")  # said before minutes of measuring


def _clip_videos(
    folder: Path | None, questions: Path | None, fetch: bool
) -> list[question_sets.BenchmarkVideo]:
    if folder is None:
        raise InvalidOptionError("questions about clips need their folder; pass --clips FOLDER")
    if fetch:
        fetch_clips(folder, [question.clip for question in read_questions(questions)])
    return list(question_sets.real(folder, questions))


def _run(questions: str, split: str, vlm: str, model: VLM) -> AnswerRun:
    """Returns what is run; folders are left out of it, since they name places of a machine."""
    from framesift.evaluation import provenance

    settings = {"questions": Path(questions).name, "vlm": vlm}
    if questions in DRAWN:
        settings["split"] = split
    if Path(model.model).is_dir():
        settings |= {"vlm": Path(vlm).name, "weights": provenance.fingerprint(Path(model.model))}
    return AnswerRun(
        settings=settings,
        versions=provenance.versions(),
        machine=provenance.machine(),
        commit=provenance.commit(),
    )
