"""Vision towers of Hugging Face checkpoints: safetensors only, and no code that comes with them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from framesift.errors import InvalidOptionError, ModelError
from framesift.registry import require

logger = logging.getLogger(__name__)

SETTINGS: Final = ("preprocessor_config.json", "processor_config.json")
"""Files that hold the preprocessing, the second one where a whole processor was saved."""

WITHIN: Final = {r"^(?:model\.)?vision_tower\.": ""}
"""Names of weights in a model that holds a tower, and what they are in the tower."""

WANTED: Final = (
    "pass a local folder with config.json, preprocessor_config.json and model.safetensors, or a "
    "hub id within reach"
)
"""What can be done where a checkpoint is not there."""

REACH_SECONDS: Final = 5.0
"""How long the hub may take to answer at all, before files are asked for."""


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
            f"{model!r} is a model of type {config.get('model_type')!r}; this encoder reads "
            f"{' or '.join(sorted(allowed))}; pass the folder or hub id of such a model"
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
    try:
        return given["image_mean"], given["image_std"]
    except KeyError as error:
        raise ModelError(
            f"{model!r} has a preprocessor_config.json without {error}; it must give image_mean "
            "and image_std; add them"
        ) from error


def placed(device: str | None, dtype: str) -> tuple[str, torch.dtype]:
    """Returns where a model runs and what it computes in: by default what this machine has.

    Raises:
        InvalidOptionError: not a device, or a GPU where there is none.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise InvalidOptionError(
            f"device={device!r} is not a device of torch; use 'cpu', 'cuda' or 'cuda:1'"
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
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
    read = getattr(require("transformers", extra="hf"), architecture).from_pretrained
    # Without ignore_mismatched_sizes, a wrong size ends in an error that does not name the weight.
    options = {"use_safetensors": True, "ignore_mismatched_sizes": True, "dtype": dtype}
    with quiet():
        tower, loaded = cached_first(
            read,
            model,
            config=config,
            output_loading_info=True,
            key_mapping=WITHIN,
            **options,
        )
    unfit = sorted([*loaded["missing_keys"], *(name for name, *_ in loaded["mismatched_keys"])])
    if unfit:
        raise ModelError(
            f"{model!r} has {len(unfit)} weights missing or of another size, such as {unfit[0]!r}; "
            f"its config.json asks for them in a {architecture}; pass a complete checkpoint"
        )
    return tower.to(device).eval()


def called(model: str) -> str:
    """Returns what messages call a checkpoint: its hub id, or its folder's name without the path.

    Messages reach people who need not know where things stand on this machine.
    """
    path = Path(model)
    return (path.name or path.resolve().name) if path.is_absolute() or path.is_dir() else model


def lacks(model: str, names: Sequence[str]) -> bool:
    """Returns whether a checkpoint is a folder that has none of the files `names`."""
    return Path(model).is_dir() and not any((Path(model) / name).is_file() for name in names)


def cached_first(read: Callable[..., Any], model: str, **options: Any) -> Any:
    """Returns what `read` gives, from this machine where it is there, else from the hub.

    Raises:
        ModelError: there is no such checkpoint, or it cannot be read.
    """
    with _in_one_line(model):
        try:
            return read(model, local_files_only=True, **options)
        except OSError:
            if not Path(model).is_dir():
                reach_hub(model)
            with _hub_in_silence():
                return read(model, **options)


@cache
def reach_hub(model: str) -> None:
    """Asks the hub about a checkpoint once, since reading a file tries again for half a minute.

    Raises:
        ModelError: there is no such folder and no network, or the name cannot be a hub id.
    """
    hub = require("huggingface_hub", extra="hf")
    try:
        where = hub.hf_hub_url(model, "config.json")
    except ValueError as error:
        raise ModelError(
            f"{model!r} is no folder on this machine, and no hub id, which is NAME or OWNER/NAME; "
            f"{WANTED}"
        ) from error
    try:
        hub.get_hf_file_metadata(where, timeout=REACH_SECONDS)
    except hub.errors.HfHubHTTPError:
        # It answers: what it refuses is told by whoever reads the checkpoint.
        return
    except (hub.errors.HTTPError, hub.errors.OfflineModeIsEnabled) as error:
        raise ModelError(
            f"{model!r} is no folder and not whole in this machine's cache, and the hub is out of "
            f"reach ({_first_line(error)}); {WANTED}"
        ) from error


@contextmanager
def _in_one_line(model: str) -> Iterator[None]:
    unfit = require("huggingface_hub", extra="hf").errors.StrictDataclassError
    try:
        yield
    except ModelError:
        raise
    except (OSError, ValueError, RuntimeError, SafetensorError, unfit) as error:
        cause = error.__cause__ if isinstance(error, unfit) else None
        raise ModelError(
            f"cannot load {model!r} ({_first_line(cause or error)}); {WANTED}"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


@contextmanager
def _hub_in_silence() -> Iterator[None]:
    """Hides the hub's lines about each try, since the last one ends in an error of one line."""
    hub = logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.ERROR)
    try:
        yield
    finally:
        hub.setLevel(level)


@contextmanager
def quiet() -> Iterator[None]:
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
