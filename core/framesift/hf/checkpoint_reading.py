"""Reading a checkpoint, from this machine or the hub: checked first, and errors of one line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch

from framesift.errors import FramesiftError, ModelError, is_of_caller
from framesift.hf.checkpoint_files import CONFIG, SMALL, called, check_files
from framesift.registry import require
from framesift.types.device import is_lack_of_memory, is_of_driver

WANTED: Final = (
    "pass a local folder with config.json, preprocessor_config.json and model.safetensors, or a "
    "hub id within reach"
)
"""What can be done where a checkpoint is not there."""

MISFIT: Final = (
    "the torchvision that is installed belongs to another torch; install the one that belongs to "
    "it, or run: pip uninstall torchvision"
)
"""What can be done where torchvision cannot be imported."""
DAMAGED: Final = "a file of it is missing, cut or damaged; take all those that came with the model"
"""What can be done where a folder is there and is not read."""

UNFIT: Final = "its files do not belong together; take all those that came with the model"
"""What can be done where one is there and does not run."""

LONGEST: Final = 300
"""Characters of somebody else's message that are passed on."""

REACH_SECONDS: Final = 5.0
"""How long the hub may take to answer at all, before files are asked for."""


def lacks(model: str, names: Sequence[str]) -> bool:
    """Returns whether a checkpoint is a folder that has none of the files `names`."""
    return Path(model).is_dir() and not any((Path(model) / name).is_file() for name in names)


def cached_first(
    read: Callable[..., Any], model: str, *, trusted: bool = False, **options: Any
) -> Any:
    """Returns what `read` gives, from this machine where it is there, else from the hub.

    Args:
        read: a `from_pretrained` of transformers or its like.
        model: local folder or hub id.
        trusted: whether the checkpoint may choose code that runs.
        options: further arguments of `read`.

    Raises:
        ModelError: there is no such checkpoint, or it cannot be read.
    """
    with in_one_line(model):
        check_cached(model, trusted=trusted)
        try:
            return read(model, local_files_only=True, **options)
        except OSError:
            if not Path(model).is_dir():
                reach_hub(model)
            with _hub_in_silence():
                if not Path(model).is_dir():
                    for name in SMALL:  # which are checked before anything else is read
                        cached_path(model, name)
                check_cached(model, trusted=trusted)
                return read(model, **options)


def check_cached(model: str, *, trusted: bool) -> None:
    """Refuses a checkpoint by what its files on this machine ask for, if there are any.

    Raises:
        ModelError: as `check_files`.
    """
    folder = folder_of(model)
    if folder is not None:
        check_files(model, folder, trusted=trusted)


def folder_of(model: str) -> Path | None:
    """Returns where the files of a checkpoint stand on this machine, None where they do not."""
    if Path(model).is_dir():
        return Path(model)
    try:
        path = cached_path(model, CONFIG, local_files_only=True)
    except OSError:
        # Not a hub id either, which reading the checkpoint says.
        return None
    return None if path is None else path.parent


def cached_path(model: str, name: str, *, local_files_only: bool = False) -> Path | None:
    """Returns a file of a checkpoint, from the hub where it is not here; None if there is none."""
    path = require("transformers.utils", extra="hf").cached_file(
        model,
        name,
        local_files_only=local_files_only,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    return None if path is None else Path(path)


@cache
def reach_hub(model: str, wanted: str = WANTED) -> None:
    """Asks the hub about a checkpoint once, since reading a file tries again for half a minute.

    Args:
        model: what may be a hub id.
        wanted: what can be done where it is not.

    Raises:
        ModelError: there is no such folder and no network, or the name cannot be a hub id.
    """
    hub = require("huggingface_hub", extra="hf")
    try:
        where = hub.hf_hub_url(model, "config.json")
    except ValueError as error:
        raise ModelError(
            f"{model!r} is neither a folder on this machine nor a hub id, which is NAME or "
            f"OWNER/NAME; {wanted}"
        ) from error
    try:
        hub.get_hf_file_metadata(where, timeout=REACH_SECONDS)
    except hub.errors.HfHubHTTPError:
        # It answers; reading the checkpoint says what it refuses.
        return
    except (hub.errors.HTTPError, hub.errors.OfflineModeIsEnabled) as error:
        raise ModelError(
            f"{model!r} is not a folder, and not whole in this machine's cache, and the hub is out "
            f"of reach ({_first_line(error)}); {wanted}"
        ) from error


@contextmanager
def in_one_line(model: str, doing: str = "load") -> Iterator[None]:
    """Makes a `ModelError` of whatever the files of a checkpoint lead to.

    Args:
        model: local folder or hub id.
        doing: what is done with it, for the message.

    Raises:
        ModelError: something went wrong within.
    """
    unfit = require("huggingface_hub.errors", extra="hf").StrictDataclassError
    try:
        yield
    except (FramesiftError, torch.OutOfMemoryError):
        raise
    except BaseException as error:
        if doing == "run" and (is_lack_of_memory(error) or is_of_driver(error)):
            raise  # not the checkpoint's fault; `device_errors` says whose
        # What the Rust code of tokenizers panics with is no Exception.
        passed = not isinstance(error, Exception) and type(error).__name__ != "PanicException"
        if passed or is_of_caller(error):
            raise
        cause = error.__cause__ if isinstance(error, unfit) else None
        reason = _first_line(cause or error).replace(str(Path(model).resolve()), called(model))
        advice = UNFIT if doing == "run" else DAMAGED if Path(model).is_dir() else WANTED
        if broken := _broken_import(error):
            reason, advice = _first_line(broken), MISFIT
        raise ModelError(
            f"cannot {doing} {called(model)!r} ({reason.replace(model, called(model))}); {advice}"
        ) from error


def _broken_import(error: BaseException) -> BaseException | None:
    """Returns what a torchvision that was made for another torch raises, if that is the cause."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RuntimeError | ImportError | OSError) and "torchvision::" in str(seen):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _first_line(error: BaseException) -> str:
    name, text = type(error).__name__, str(error).strip()
    line = text.splitlines()[0] if text else name
    if isinstance(error, LookupError | TypeError | AttributeError):
        # Their text alone says nothing: "'weight_map'".
        line = f"{name}: {line}"
    return "".join(letter if letter.isprintable() else " " for letter in line[:LONGEST]).rstrip(".")


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
