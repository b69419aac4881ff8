"""`framesift train`: makes the models that the package ships or that its methods need."""

from __future__ import annotations

from pathlib import Path

import click

from framesift.training.recipe import Recipe


@click.group("train")
def app() -> None:
    """Train a model on synthetic videos; a run that was broken off goes on where it was."""


@app.command("tiny-vlm")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Model folder.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    help="Folder for clips and checkpoints; OUT with '-work' behind it by default.",
)
@click.option("--clips", type=int, default=Recipe.clips, help="Clips that are drawn.")
@click.option("--stills", type=int, default=Recipe.stills, help="Stills that are drawn.")
@click.option("--tower-steps", type=int, default=Recipe.tower_steps, help="Steps of stage one.")
@click.option(
    "--language-steps", type=int, default=Recipe.language_steps, help="Steps of stage two."
)
@click.option("--seed", type=int, default=Recipe.seed, help="Seed of weights and order.")
@click.option("--processes", type=int, default=Recipe.processes, help="Processes that draw.")
def tiny_vlm(out: Path, work: Path | None, **amounts: int) -> None:
    """Train the embedded tiny vision LLM from nothing: two to three hours on two CPU cores."""
    from framesift.training.tiny_vlm import CURVES, train

    work = work or out.with_name(f"{out.name}-work")
    train(out, Recipe(**amounts), work=work, announce=lambda line: click.echo(line, err=True))
    click.echo(f"wrote     {out} (curves in {CURVES})")
    click.echo(f"try       framesift ask 'synthetic://number' 'What number flashes?' --vlm {out}")
