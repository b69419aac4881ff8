"""A trained network in a folder: weights as safetensors, what is known of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from framesift.disk.writing import storing, write_atomically
from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.checkpoint_files import CONFIG, WEIGHTS, called, read_object
from framesift.hf.checkpoint_reading import cached_path, in_one_line, reach_hub

OWN: Final = (CONFIG, WEIGHTS)

Card = TypeVar("Card")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class NetworkFiles(Generic[Card]):
    """How networks of one kind are written to a folder, and read back with all checks."""

    kind: str
    """What `kind` in the config.json says: a `model_type` would be one of transformers's."""
    version: int
    """Of what the card and the weights hold."""
    named: str
    """What messages call such a network."""
    made_by: str
    """Command that writes one."""
    card: type[Card]
    """Dataclass of what is known of such a network."""
    besides: str = ""
    """What an option takes besides a folder or a hub id, as a message ends."""

    def write(self, network: nn.Module, card: Card, folder: Path) -> Path:
        """Returns `folder` after writing weights in half precision, and the card.

        Raises:
            ModelError: a weight is not a finite number in half precision.
            StorageError: the folder cannot be written to.
        """
        weights = {
            name: value.half().contiguous().cpu() for name, value in network.state_dict().items()
        }
        if (wrong := _first_without_number(weights)) is not None:
            raise ModelError(
                f"the training went astray: {wrong!r} holds what is not a finite number; train "
                "with a smaller learning rate and another work folder"
            )
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / WEIGHTS, save(weights, {"format": "pt"}))
        fields: dict[str, Any] = asdict(card)  # type: ignore[call-overload]
        written = {"kind": self.kind, "version": self.version, **fields}
        write_atomically(folder / CONFIG, json.dumps(written, indent=1).encode())
        return folder

    def check_place(self, folder: Path) -> None:
        """Makes the folder that a network is to be saved in, before it is trained.

        Raises:
            InvalidOptionError: the folder holds another model.
            StorageError: it cannot be made, or is a file.
        """
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if not any((folder / name).exists() for name in (CONFIG, WEIGHTS)):
            return
        try:
            self.read_card(folder)
        except ModelError as error:
            raise InvalidOptionError(
                f"{called(str(folder))!r} holds another model, which would be overwritten; give a "
                "new folder"
            ) from error

    def read_card(self, folder: Path) -> Card:
        """Returns what the config.json of a trained network says.

        Raises:
            ModelError: there is none, or it is of another kind or version.
        """
        name = called(str(folder))
        if not (folder / CONFIG).is_file():
            raise ModelError(
                f"{name!r} holds no {CONFIG} of a {self.named}; pass a folder that {self.made_by} "
                "wrote"
            )
        written = dict(read_object(str(folder), folder / CONFIG))
        kind, version = written.pop("kind", None), written.pop("version", None)
        if kind != self.kind or version != self.version:
            raise ModelError(
                f"{name!r} is of kind {kind!r} in version {version!r}, not a {self.kind!r} in "
                f"version {self.version}; pass a folder that {self.made_by} wrote"
            )
        try:
            return TypeAdapter(self.card).validate_python(written)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, wrong["loc"]))
            line = f"{place}: {wrong['msg']}" if place else wrong["msg"]
            raise ModelError(
                f"{CONFIG} of {name!r} does not describe a {self.named} ({line}); take the file "
                f"that {self.made_by} wrote"
            ) from error

    def folder_of(self, model: str) -> Path:
        """Returns the folder on this machine that holds card and weights of a network.

        Args:
            model: local folder, or hub id; files that are not in this machine's cache are fetched.

        Raises:
            ModelError: neither a folder nor a hub id within reach.
        """
        if Path(model).is_dir():
            return Path(model)
        wanted = f"pass a folder that {self.made_by} wrote, or a hub id within reach{self.besides}"
        with in_one_line(model):
            try:
                paths = [cached_path(model, name, local_files_only=True) for name in OWN]
            except OSError:
                paths = [None]
            if None in paths:
                reach_hub(model, wanted)
                paths = [cached_path(model, name) for name in OWN]
        if (path := paths[0]) is None:
            raise ModelError(
                f"{model!r} is not a folder, and the hub has no {CONFIG} of that name; {wanted}"
            )
        return path.parent

    def fill(self, build: Callable[[], Network], folder: Path) -> Network:
        """Returns the network that `build` makes, with the weights of a folder.

        Raises:
            ModelError: weights that are not there, cannot be read, do not fit or are not finite.
        """
        name = called(str(folder))
        try:
            weights = load_file(folder / WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{name!r} has no readable {WEIGHTS}; take the file that {self.made_by} wrote"
            ) from error
        # Sizes are compared before memory is taken for what a configuration asks for.
        with in_one_line(str(folder)), torch.device("meta"):
            outline = build().state_dict()
        wanted = {name: value.shape for name, value in outline.items()}
        unfit = sorted(
            name
            for name in {*wanted, *weights}
            if name not in weights
            or name not in wanted
            or weights[name].shape != wanted[name]
            or not weights[name].is_floating_point()
        )
        if unfit:
            raise ModelError(
                f"{WEIGHTS} of {name!r} does not fit its {CONFIG}, such as in {unfit[0]!r}; take "
                "both files from the same training"
            )
        if (wrong := _first_without_number(weights)) is not None:
            raise ModelError(
                f"{WEIGHTS} of {name!r} holds what is not a finite number, such as in {wrong!r}; "
                f"take the file that {self.made_by} wrote, or train again"
            )
        network = build()
        network.load_state_dict(weights)
        return network


def _first_without_number(weights: Mapping[str, Tensor]) -> str | None:
    """Returns the name of the first weights that are not finite, None where all are."""
    # Floats of 8 bits have no test of their own.
    finite = ((name, weights[name].float().isfinite().all()) for name in sorted(weights))
    return next((name for name, is_finite in finite if not is_finite), None)
