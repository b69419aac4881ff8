"""`framesift train`: makes the models that the package ships or that its methods need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from framesift.cli import options
from framesift.cli.groups import WholeSummaries
from framesift.fetching.limits import FetchLimits
from framesift.training.frame_selector.recipe import PRESETS
from framesift.training.healing import HealingRecipe
from framesift.training.recipe import Recipe
from framesift.training.time_perceiver import recipe as time_perceiver_recipe

OUT = click.option(
    "-o", "--out", type=options.GivenPath(path_type=Path), required=True, help="Model folder."
)
WORK = click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder for features and checkpoints; OUT with '-work' behind it by default.",
)
FEATURES = click.option(
    "--features", type=click.Path(path_type=Path), help="Folder of features that runs share."
)
ALLOW_PRIVATE = click.option(
    "--allow-private", is_flag=True, help="Fetch videos from private addresses too."
)


@click.group("train", cls=WholeSummaries)
def app() -> None:
    """Train a model; a run that was broken off goes on where it was."""


@app.command("tiny-vlm")
@OUT
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder for clips and checkpoints; OUT with '-work' behind it by default.",
)
@click.option(
    "--vlm",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of such a model whose language model learns on; its tower stays as it is.",
)
@click.option("--clips", type=int, default=Recipe.clips, help="Clips that are drawn.")
@click.option("--first-seed", type=int, default=Recipe.first_seed, help="Seed of the first clip.")
@click.option(
    "--pages", type=int, default=Recipe.pages, help="Clips of slides with their text; 0: none."
)
@click.option("--stills", type=int, default=Recipe.stills, help="Stills that are drawn.")
@click.option("--tower-steps", type=int, default=Recipe.tower_steps, help="Steps of stage one.")
@click.option(
    "--language-steps", type=int, default=Recipe.language_steps, help="Steps of stage two."
)
@click.option(
    "--language-batch", type=int, default=Recipe.language_batch, help="Clips of its steps."
)
@click.option(
    "--language-rate", type=float, default=Recipe.language_rate, help="Its learning rate."
)
@click.option(
    "--glimpses-first", type=int, default=Recipe.glimpses_first, help="Its steps of glimpses."
)
@click.option(
    "--seconds", type=float, default=Recipe.seconds, help="Longest time of stage two; 0: any."
)
@click.option("--seed", type=int, default=Recipe.seed, help="Seed of weights and order.")
@click.option(
    "--processes",
    type=int,
    default=Recipe.processes,
    help="Processes that draw, and that make batches for a GPU.",
)
def tiny_vlm(out: Path, work: Path | None, vlm: Path | None, **amounts: Any) -> None:
    """Train the embedded tiny vision LLM: two to three hours on two CPU cores from nothing.

    It trains on a GPU where there is one.
    """
    from framesift.training.tiny_vlm import CURVES, train

    work, recipe = work or _beside(out), Recipe(**amounts)
    train(out, recipe, work=work, announce=lambda line: click.echo(line, err=True), vlm=vlm)
    click.echo(f"wrote     {out} (curves in {CURVES})")
    click.echo(f"try       framesift ask 'synthetic://number' 'What number flashes?' --vlm {out}")


@app.command("shorter-vlm")
@OUT
@click.option("--work", type=click.Path(path_type=Path), help="Folder; OUT-work by default.")
@click.option(
    "--vlm", type=click.Path(path_type=Path, exists=True), help="Folder; the embedded model's."
)
@click.option("--layer", type=int, default=HealingRecipe.layer, help="Layer to take out, from 0.")
@click.option("--clips", type=int, default=HealingRecipe.clips, help="Clips that are drawn.")
@click.option("--steps", type=int, default=HealingRecipe.steps, help="Steps of healing.")
@click.option("--seed", type=int, default=HealingRecipe.seed, help="Seed of the order.")
def shorter_vlm(out: Path, work: Path | None, vlm: Path | None, **amounts: int) -> None:
    """Take a layer out of the tiny vision LLM and heal it: another reader for `bench selection`."""
    from framesift.training.shorter_vlm import shorten
    from framesift.vlms.tiny import FOLDER

    work = work or _beside(out)
    recipe = HealingRecipe(**amounts)
    shorten(vlm or FOLDER, out, recipe, work=work, announce=lambda line: click.echo(line, err=True))
    click.echo(f"wrote     {out}")


@app.command("frame-selector")
@click.argument("labels", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1)
@OUT
@WORK
@FEATURES
@click.option(
    "--keep-features/--encode-anew",
    default=True,
    help="Keep features on the disk, or encode the videos of each batch anew.",
)
@click.option(
    "--recipe",
    type=click.Choice(list(PRESETS)),
    default="published",
    help="Sizes and rates: those of the paper, or those for the embedded tiny model.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of the recipe, such as head=query_key or stage_2.epochs=3; repeatable.",
)
@click.option("--vlm", help="Vision LLM to begin with: its tower, projector and LLM.")
@click.option("--llm", help="Or an LLM of the class of Qwen2: hub id or folder.")
@click.option("--encoder", help="The vision tower beside --llm, such as siglip:model=...")
@ALLOW_PRIVATE
def frame_selector(
    labels: tuple[Path, ...],
    out: Path,
    work: Path | None,
    features: Path | None,
    keep_features: bool,
    recipe: str,
    changes: tuple[str, ...],
    vlm: str | None,
    llm: str | None,
    encoder: str | None,
    allow_private: bool,
) -> None:
    """Train what chooses frames by a question, from files that `framesift label` wrote."""
    from framesift.training.frame_selector import start, train

    if not labels or (vlm is None) == (llm is None) or (llm is None) != (encoder is None):
        raise click.UsageError(
            "give files of labels, and either --vlm, such as --vlm tiny, or --llm with --encoder"
        )
    chosen = PRESETS[recipe].changed(changes)
    training = train.SelectorTraining(
        start=start.begin_with_vlm(vlm, chosen)
        if vlm is not None
        else start.begin_with_parts(str(llm), str(encoder), chosen),
        recipe=chosen,
        work=work or _beside(out),
        features=features,
        keep_features=keep_features,
        limits=FetchLimits(allow_private=allow_private),
        announce=lambda line: click.echo(line, err=True),
    )
    training.run(labels, out)
    click.echo(f"wrote     {out} (curves in {train.METRICS})")
    selector = f"nms:scorer=[mllm:model={out}]"
    click.echo(f"try       framesift keyframes VIDEO -q QUESTION --selector {selector!r}")


@app.command("time-perceiver")
@click.argument("data", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1)
@OUT
@WORK
@FEATURES
@click.option(
    "--keep-features/--encode-anew",
    default=True,
    help="Keep features of files on the disk, or encode the videos of each batch anew.",
)
@click.option("--synthetic", type=click.IntRange(0), default=0, help="Synthetic clips to draw.")
@click.option(
    "--clips", type=click.Path(path_type=Path), help="Folder of drawn clips that runs share."
)
@click.option("--processes", type=click.IntRange(1), default=1, help="Processes that draw clips.")
@click.option(
    "--recipe",
    type=click.Choice(list(time_perceiver_recipe.PRESETS)),
    default="published",
    help="Sizes and rates: for real models, or those for the embedded tiny model.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of the recipe, such as depth=6 or stage_1.epochs=3; repeatable.",
)
@click.option(
    "--filling",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a trained network to go on with.",
)
@click.option("--vlm", required=True, help="Vision LLM that reads the tokens, such as tiny.")
@ALLOW_PRIVATE
def time_perceiver(
    data: tuple[Path, ...],
    out: Path,
    synthetic: int,
    recipe: str,
    changes: tuple[str, ...],
    vlm: str,
    **given: Any,
) -> None:
    """Train what condenses the frames of a segment, for the strategy slow-fast.

    DATA are files of JSON lines: a video with a question and its answer, or with a caption.
    """
    from framesift.nn.time_perceiver_files import FILLINGS
    from framesift.training import processes
    from framesift.training.time_perceiver import adapting, start, train
    from framesift.training.time_perceiver.gathering import Gathering

    if not data and not synthetic:
        raise click.UsageError("give files of questions or captions, or --synthetic N")
    chosen = time_perceiver_recipe.PRESETS[recipe].changed(changes)
    work = given["work"] or _beside(out)
    if processes.is_main():
        FILLINGS.check_place(out)
    begun = start.begin(vlm, chosen, given["filling"])
    gathering = Gathering(
        vlm=begun.vlm,
        recipe=chosen,
        features=given["features"] or work / "features",
        clips=given["clips"] or work / "clips",
        keep_features=given["keep_features"],
        processes=given["processes"],
        limits=FetchLimits(allow_private=given["allow_private"]),
    )
    training = train.PerceiverTraining(
        start=begun,
        recipe=chosen,
        work=work,
        announce=lambda line: click.echo(line, err=True) if processes.is_main() else None,
    )
    with processes.main_first():
        videos = gathering.videos(data, synthetic)
    training.run(videos, out)
    if not processes.is_main():
        return
    click.echo(f"wrote     {out} (curves in {train.METRICS})")
    strategy = f"slow-fast:filling=[{out}]"
    reader = out / adapting.FOLDER if chosen.stage_2.epochs else vlm
    click.echo(f"try       framesift ask VIDEO QUESTION --vlm {reader} --strategy {strategy!r}")


def _beside(out: Path) -> Path:
    """Returns the work folder of a model folder, also of `.`, which has no name by itself."""
    return Path(f"{out if out.name else out.resolve()}-work")
