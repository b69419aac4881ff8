"""A trained frame scorer on disk: weights as safetensors, the rest as JSON, and the tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from framesift.disk.writing import storing, write_atomically
from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.checkpoint import load_tokenizer
from framesift.hf.checkpoint_files import CONFIG, WEIGHTS, called, read_object
from framesift.hf.checkpoint_reading import in_one_line
from framesift.nn.frame_scorer import FrameScorer
from framesift.nn.frame_scorer_config import FrameScorerConfig
from framesift.types.options import Options

KIND: Final = "framesift-frame-scorer"
"""What `kind` in the config.json says: a `model_type` would be one of transformers's."""
VERSION: Final = 1
MADE_BY: Final = "`framesift train frame-selector`"


@dataclass(frozen=True, kw_only=True)
class FrozenTower(Options):
    """The vision tower whose features a frame scorer reads; it is not kept in its folder."""

    encoder: str
    """Spec string of the encoder, or of the vision LLM that has the tower."""
    of_vlm: bool
    """Whether `encoder` is a vision LLM, whose features before its projector are read."""
    fingerprint: str
    """Digits of the weights of the tower's checkpoint; with other weights the scores would mean
    nothing."""


@dataclass(frozen=True, kw_only=True)
class FrameScorerCard(Options):
    """What is known of a trained frame scorer besides its weights."""

    network: FrameScorerConfig
    tower: FrozenTower
    trained_on: str | None = None
    """What the addresses of the only videos that it was trained on begin with; None for any."""


def save_frame_scorer(
    network: FrameScorer, card: FrameScorerCard, tokenizer: Any, folder: Path
) -> Path:
    """Returns `folder` after writing weights in half precision, configuration and tokenizer.

    Raises:
        ModelError: a weight is not a finite number in half precision.
        StorageError: the folder cannot be written to.
    """
    weights = {
        name: value.half().contiguous().cpu() for name, value in network.state_dict().items()
    }
    if (wrong := _first_without_number(weights)) is not None:
        raise ModelError(
            f"the training went astray: {wrong!r} holds what is not a finite number; train with a "
            "smaller learning rate and another work folder"
        )
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / WEIGHTS, save(weights, {"format": "pt"}))
    tokenizer.save_pretrained(folder)
    written = {"kind": KIND, "version": VERSION, **asdict(card)}
    write_atomically(folder / CONFIG, json.dumps(written, indent=1).encode())
    return folder


def check_place(folder: Path) -> None:
    """Makes the folder that a frame scorer is to be saved in, before it is trained.

    Raises:
        InvalidOptionError: the folder holds another model.
        StorageError: it cannot be made, or is a file.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not any((folder / name).exists() for name in (CONFIG, WEIGHTS)):
        return
    try:
        read_card(folder)
    except ModelError as error:
        raise InvalidOptionError(
            f"{called(str(folder))!r} holds another model, which would be overwritten; give a new "
            "folder"
        ) from error


def read_card(folder: Path) -> FrameScorerCard:
    """Returns what the config.json of a trained frame scorer says.

    Raises:
        ModelError: there is none, or it is of another kind or version.
    """
    if not (folder / CONFIG).is_file():
        raise ModelError(
            f"{called(str(folder))!r} holds no {CONFIG} of a frame scorer; pass a folder that "
            f"{MADE_BY} wrote"
        )
    written = dict(read_object(str(folder), folder / CONFIG))
    kind, version = written.pop("kind", None), written.pop("version", None)
    if kind != KIND or version != VERSION:
        raise ModelError(
            f"{called(str(folder))!r} is of kind {kind!r} in version {version!r}, not a "
            f"{KIND!r} in version {VERSION}; pass a folder that {MADE_BY} wrote"
        )
    try:
        return TypeAdapter(FrameScorerCard).validate_python(written)
    except (ValidationError, TypeError) as error:
        line = str(error).splitlines()[-2:][0].strip()
        raise ModelError(
            f"{CONFIG} of {called(str(folder))!r} does not describe a frame scorer ({line}); take "
            f"the file that {MADE_BY} wrote"
        ) from error


@dataclass(frozen=True, kw_only=True)
class LoadedFrameScorer:
    """A trained frame scorer, ready to run."""

    network: FrameScorer
    card: FrameScorerCard
    tokenizer: Any


def load_frame_scorer(
    folder: Path, *, device: str, dtype: Literal["float32", "float16", "bfloat16"] | torch.dtype
) -> LoadedFrameScorer:
    """Returns a trained frame scorer in evaluation mode.

    Raises:
        ModelError: the folder does not hold one whole, or its files do not belong together.
    """
    card = read_card(folder)
    tokenizer = load_tokenizer(str(folder), trust_remote_code=False)
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{called(str(folder))!r} has no readable {WEIGHTS}; take the file that {MADE_BY} wrote"
        ) from error
    # Sizes are compared before memory is taken for what a configuration asks for.
    with in_one_line(str(folder)), torch.device("meta"):
        outline = FrameScorer(card.network).state_dict()
    wanted = {name: value.shape for name, value in outline.items()}
    unfit = sorted(
        name
        for name in {*wanted, *weights}
        if name not in weights or name not in wanted or weights[name].shape != wanted[name]
    )
    if unfit:
        raise ModelError(
            f"{WEIGHTS} of {called(str(folder))!r} does not fit its {CONFIG}, such as in "
            f"{unfit[0]!r}; take both files from the same training"
        )
    if (wrong := _first_without_number(weights)) is not None:
        raise ModelError(
            f"{WEIGHTS} of {called(str(folder))!r} holds what is not a finite number, such as in "
            f"{wrong!r}; take the file that {MADE_BY} wrote, or train again"
        )
    network = FrameScorer(card.network)
    network.load_state_dict(weights)
    kind = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    return LoadedFrameScorer(
        network=network.to(device, kind).eval(), card=card, tokenizer=tokenizer
    )


def _first_without_number(weights: Mapping[str, Tensor]) -> str | None:
    """Returns the name of the first weights that are not finite, None where all are."""
    return next((name for name in sorted(weights) if not weights[name].isfinite().all()), None)
