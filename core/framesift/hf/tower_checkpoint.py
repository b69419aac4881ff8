"""Vision towers of Hugging Face checkpoints: safetensors only, and no code that comes with them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import torch

from framesift.errors import InvalidOptionError, ModelError
from framesift.hf._pixel_settings import check_pixel_settings
from framesift.hf.checkpoint_files import called, shards
from framesift.hf.checkpoint_reading import cached_first, check_cached, folder_of, lacks
from framesift.registry import require
from framesift.types.device import device_errors

logger = logging.getLogger(__name__)

NO_SDPA: Final = "through torch.nn.functional.scaled_dot_product_attention yet"
"""What transformers says of a model that has no `sdpa`."""
SETTINGS: Final = ("preprocessor_config.json", "processor_config.json")
"""Files that hold the preprocessing, the second one where a whole processor was saved."""

WITHIN: Final = {r"^(?:model\.)?vision_tower\.": ""}
"""Names of weights in a model that holds a tower, and what they are in the tower."""

MOST_WEIGHTS_PER_BYTE: Final = 4
"""Weights of 2 bits are the smallest there are."""
SPARE_WEIGHTS: Final = 1 << 22
"""Weights that a checkpoint may leave out, such as a head that is not needed."""


def read_config(model: str, allowed: frozenset[str]) -> dict[str, Any]:
    """Returns what `config.json` says, whose `model_type` must be one of `allowed`.

    Args:
        model: local folder or hub id.
        allowed: types of model that the caller understands.

    Raises:
        ModelError: no such checkpoint, or one of another type.
    """
    read = require("transformers", extra="hf").PreTrainedConfig.get_config_dict
    config: dict[str, Any] = cached_first(read, model)[0]
    if config.get("model_type") not in allowed:
        raise ModelError(
            f"{called(model)!r} is a model of type {config.get('model_type')!r}; this encoder "
            f"reads {' or '.join(sorted(allowed))}; pass the folder or hub id of such a model"
        )
    return config


def read_normalization(model: str, usual: str) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of the three colours that the tower was trained with.

    A folder without `preprocessor_config.json` gets the usual ones, and the log says so.

    Args:
        model: local folder or hub id.
        usual: their name in transformers, such as `"OPENAI_CLIP"`.

    Raises:
        ModelError: the checkpoint has preprocessor settings that do not say.
    """
    if lacks(model, SETTINGS):
        logger.warning(
            "%r has no preprocessor_config.json; colours are normalised by %s_MEAN and %s_STD",
            *(model, usual, usual),
        )
        images = require("transformers.image_utils", extra="hf")
        return getattr(images, f"{usual}_MEAN"), getattr(images, f"{usual}_STD")
    mixin = require("transformers.image_processing_base", extra="hf").ImageProcessingMixin
    given = cached_first(mixin.get_image_processor_dict, model)[0]
    check_pixel_settings(model, given)
    try:
        return given["image_mean"], given["image_std"]
    except KeyError as error:
        raise ModelError(
            f"{called(model)!r} has a preprocessor_config.json without {error}; it must give "
            "image_mean and image_std; add them"
        ) from error


def placed(device: str | None, dtype: str) -> tuple[str, torch.dtype]:
    """Returns device and dtype of a model: by default the best that this machine has.

    Raises:
        InvalidOptionError: not a device, or a GPU that this machine lacks.
    """
    gpus = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device is None:
        device = next((name for name, is_there in gpus.items() if is_there), "cpu")
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise InvalidOptionError(
            f"device={device!r} is not a device of torch; use 'cpu', 'cuda', 'cuda:1' or 'mps'"
        ) from error
    if not gpus.get(kind, True):
        raise InvalidOptionError(
            f"device={device!r} needs a GPU that torch can use, and there is none; use 'cpu'"
        )
    auto = "float32" if kind == "cpu" else "float16"
    return device, getattr(torch, auto if dtype == "auto" else dtype)


def load_tower(
    model: str, architecture: str, *, config: Any, device: str, dtype: torch.dtype
) -> Any:
    """Returns the tower in evaluation mode, every weight of it from the checkpoint.

    Args:
        model: local folder or hub id, of the tower alone or of a model that holds it.
        architecture: class of transformers, such as `"CLIPVisionModel"`.
        config: what the tower is built from; layers that it leaves out are not loaded.
        device: where the tower goes.
        dtype: floating point type that it computes in.

    Raises:
        ModelError: no such checkpoint, no safetensors in it, or not every weight.
    """
    kind = getattr(require("transformers", extra="hf"), architecture)
    check_cached(model, trusted=False)
    check_size(model, lambda: kind(config))
    tower = load_complete(kind, model, config=config, dtype=dtype, key_mapping=WITHIN)
    with weights_on(device, model):
        return tower.to(device).eval()


def weights_on(device: str, model: str) -> AbstractContextManager[None]:
    """Raises a lack of memory for the weights of a checkpoint as one line."""
    cure = "take a smaller model, load it in fewer bits, or on device='cpu'"
    return device_errors(device, f"the weights of {called(model)!r}", cure)


def load_complete(kind: Any, model: str, *, trusted: bool = False, **options: Any) -> Any:
    """Returns a model of a class of transformers, every weight of it from the checkpoint.

    Args:
        kind: the class.
        model: local folder or hub id.
        trusted: whether the checkpoint may choose code that runs.
        options: further arguments of `from_pretrained`.

    Raises:
        ModelError: no such checkpoint, no safetensors in it, or not every weight.
    """
    with _quiet(), _without_sdpa(model):
        loaded, info = cached_first(
            kind.from_pretrained,
            model,
            trusted=trusted,
            use_safetensors=True,
            # A wrong size would end in an error that does not name the weight.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **{"attn_implementation": "sdpa", **options},
        )
    unfit = sorted([*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])])
    if unfit:
        raise ModelError(
            f"{called(model)!r} has {len(unfit)} weights missing or of another size, such as "
            f"{unfit[0]!r}; its config.json asks for them in a {type(loaded).__name__}; pass a "
            "complete checkpoint"
        )
    return loaded


@contextmanager
def _without_sdpa(model: str) -> Iterator[None]:
    """Says what helps where transformers does not compute a model by `sdpa`."""
    try:
        yield
    except ModelError as error:
        if NO_SDPA not in str(error):
            raise
        raise ModelError(
            f"{called(model)!r} has a part that transformers does not compute by sdpa; load it "
            "with attention='eager'"
        ) from error


def check_size(model: str, build: Callable[[], Any]) -> None:
    """Refuses a configuration that asks for far more weights than the checkpoint holds.

    Without it, missing weights would be made up in memory before they are reported.

    Args:
        model: local folder or hub id.
        build: makes the model; called where its weights take no memory.

    Raises:
        ModelError: it does.
    """
    folder = folder_of(model)
    files = [] if folder is None else [folder / name for name in shards(model, folder)]
    if not files or not all(path.is_file() for path in files):
        return
    held = sum(path.stat().st_size for path in files)
    try:
        with torch.device("meta"):
            configured = sum(weight.numel() for weight in build().parameters())
    except Exception:
        # Code of a checkpoint's own may need real weights; loading it says what is wrong.
        return
    if configured > MOST_WEIGHTS_PER_BYTE * held + SPARE_WEIGHTS:
        raise ModelError(
            f"config.json of {called(model)!r} asks for {configured} weights, and its files have "
            f"{held} bytes; pass a checkpoint whose files belong together"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides the listing of weights that a tower leaves unread, and bars where nobody watches."""
    talk = require("transformers.utils.logging", extra="hf")
    level, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity_error()
    if not sys.stderr.isatty():
        talk.disable_progress_bar()
    try:
        yield
    finally:
        talk.set_verbosity(level)
        if bars:
            talk.enable_progress_bar()


def pair(size: Any) -> tuple[int, int]:
    """Returns `(height, width)` of a size that a configuration gives as one number or two."""
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return int(height), int(width)
