"""Crowded still pictures: many small things at once, so that a tower learns to read them fast."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from framesift.run import progress_bar
from framesift.synthetic.backdrops import LANDSCAPES, landscape, room, texture
from framesift.synthetic.film import Pixels, SceneSettings
from framesift.synthetic.happenings import DARK, LETTERS, LIGHT, SIGNS, ink_on, on_lattice
from framesift.synthetic.pixels import COLORS, SHAPES, Color, card_pixels, shape_pixels
from framesift.synthetic.script import Script
from framesift.training.clips import SIZES_PX, squashed
from framesift.training.labels import Labels, frame_labels

BACKDROPS_PER_SIZE = 24
CARD_HEIGHTS = (0.27, 0.28, 0.29)

Arrays = dict[str, npt.NDArray[Any]]


def make_stills(
    folder: Path, seeds: Sequence[int], *, processes: int, per_file: int = 1000
) -> list[Path]:
    """Writes pictures and labels of `seeds` and returns the files; finished ones are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [seeds[i : i + per_file] for i in range(0, len(seeds), per_file)]
    jobs = [(folder / f"{part[0]:07d}.npz", part) for part in parts]
    todo = [job for job in jobs if not job[0].is_file()]
    with (
        multiprocessing.get_context("spawn").Pool(processes) as pool,
        progress_bar("stills", total=len(todo)) as bar,
    ):
        for _ in pool.imap_unordered(_make_file, todo):
            bar.update(1)
    return [path for path, _ in jobs]


def read_stills(paths: Sequence[Path]) -> Arrays:
    """Returns `pixels` uint8 `(F, 128, 128, 3)` and the labels of all pictures by name."""
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            parts.append(dict(file))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def stacked(examples: Sequence[tuple[npt.NDArray[np.uint8], Labels]]) -> Arrays:
    """Returns `pixels` and the labels of some pictures as one array each."""
    labels = {name: np.stack([labels[name] for _, labels in examples]) for name in examples[0][1]}
    return {"pixels": np.stack([pixels for pixels, _ in examples]), **labels}


def _make_file(job: tuple[Path, Sequence[int]]) -> None:
    path, seeds = job
    draft = path.with_suffix(".part.npz")
    np.savez(draft, allow_pickle=False, **stacked([draw_still(seed) for seed in seeds]))
    draft.replace(path)


def draw_still(seed: int) -> tuple[npt.NDArray[np.uint8], Labels]:
    """Returns a picture `(128, 128, 3)` with up to nine things, and its labels."""
    rng = random.Random(f"still-{seed}")
    width, height = rng.choice(SIZES_PX)
    noise = rng.choice([0.0, 1.0, 2.0])
    settings = SceneSettings(seed=seed, width=width, height=height, noise=noise)
    script = Script(name="still", settings=settings, rng=rng)
    pixels, name = _backdrop(rng.randrange(BACKDROPS_PER_SIZE), (width, height))
    script.stage(lambda: pixels)
    if name is not None:
        script.event("landscape", (0.0, 1.0), name=name)
    cells = [(x / 3, y / 3) for x in range(3) for y in range(3)]
    for x, y in rng.sample(cells, rng.randint(1, 9)):
        _put_something(script, (x + rng.uniform(0.1, 0.233), y + rng.uniform(0.1, 0.233)))
    scene = script.scene(title="still", noise=noise)
    return squashed(scene.draw(0.0)), frame_labels(scene.truth["events"], 0.0)


def _put_something(script: Script, at: tuple[float, float]) -> None:
    rng, unit, window = script.rng, script.unit_px, script.window(0, 1)
    kind = rng.choices(["shape", "number", "code", "text"], [3, 4, 2, 1])[0]
    color = rng.choice(list(COLORS))
    if kind == "shape":
        shape = rng.choice(SHAPES)
        pixels = shape_pixels(shape, color, rng.uniform(0.14, 0.23) * unit)
        script.sprite_event(kind, script.show(pixels, window, at), color=color, shape=shape)
    elif kind == "number":
        value = rng.randint(10, 99)
        pixels = _card(str(value), rng.choice(CARD_HEIGHTS) * unit, COLORS[color], ink_on(color))
        sprite = script.show(pixels, window, on_lattice(at))
        script.sprite_event(kind, sprite, color=color, number=value)
    else:
        code = f"{rng.choice(LETTERS)}{rng.randint(0, 9)}"
        text, high = (
            (code, rng.choice(CARD_HEIGHTS)) if kind == "code" else (rng.choice(SIGNS), 0.11)
        )
        pixels = _card(text, high * unit, DARK, LIGHT)
        script.sprite_event(kind, script.show(pixels, window, on_lattice(at)), text=text)


@lru_cache(maxsize=20_000)
def _card(text: str, height_px: float, paper: Color, ink: Color) -> Pixels:
    return card_pixels(text, height_px, paper=paper, ink=ink)


@lru_cache(maxsize=4 * BACKDROPS_PER_SIZE)
def _backdrop(number: int, size_px: tuple[int, int]) -> tuple[Pixels, str | None]:
    name = [None, None, *LANDSCAPES][number % 8]
    if name is not None:
        return landscape(name, number, size_px), name
    draw = texture if number % 2 else room
    return draw(number, size_px), None
