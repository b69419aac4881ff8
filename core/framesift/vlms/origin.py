"""Which model the tokens of a compressed video belong to: no other model may read them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from framesift.encoders import registry as encoders
from framesift.errors import ModelError
from framesift.hf.checkpoint_files import called
from framesift.hf.checkpoint_reading import folder_of
from framesift.types.compressed import CompressedVideo

if TYPE_CHECKING:
    from framesift.vlms.base import VLM

WHOLE_BYTES: Final = 64 * 2**20
"""Largest file of weights of which every byte counts; of larger ones samples do."""
SAMPLES: Final = 1024
SAMPLE_BYTES: Final = 4096
IGNORED: Final = frozenset({"_name_or_path", "dtype", "torch_dtype", "transformers_version"})
"""Entries of a configuration that change when a model is saved again."""
_MODEL: Final = re.compile(r"[:,]model=\[?([^],]{1,400})")


def fingerprint(model: str) -> str:
    """Returns 16 digits that differ from checkpoint to checkpoint, whatever it is called.

    They are of its configuration and its weights: of every byte of a small file, of spread samples
    of a large one, which any further training changes.

    Args:
        model: local folder, or a hub id whose files are on this machine.
    """
    digest = hashlib.sha256()
    folder = folder_of(model)
    if folder is None:
        digest.update(model.encode(errors="surrogatepass"))
        return digest.hexdigest()[:16]
    digest.update(_settings(folder / "config.json"))
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            if size <= WHOLE_BYTES:
                digest.update(hashlib.file_digest(file, "sha256").digest())
                continue
            for start in range(0, size, size // SAMPLES):
                file.seek(start)
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def check_origin(video: CompressedVideo, vlm: VLM) -> None:
    """Refuses tokens that another model's encoder has made.

    Raises:
        ModelError: they come from another model, from other weights, or from an encoder whose
            tokens no model reads; or they have not the channels that `vlm` takes.
    """
    report, channels, name = video.report, video.tokens.shape[-1], maker_of(vlm.spec)
    made_by = maker_of(report.encoder)
    about = f"the tokens of {report.uri[:200]!r} were made by {made_by!r}"
    cure = "ask with the model that made them, or compress the video again with the one that asks"
    if report.weights is None and report.encoder.partition(":")[0] in encoders.names():
        raise ModelError(
            f"{about}, an encoder whose tokens {name!r} cannot read; compress the video with "
            f"vlm={name!r} and without an encoder"
        )
    if report.weights not in (None, vlm.weights):
        if made_by == name:
            raise ModelError(
                f"{about} with other weights (fingerprint {report.weights}) than {name!r} has now "
                f"({vlm.weights}); {cure}"
            )
        raise ModelError(f"{about}, and {name!r} is asked; {cure}")
    if channels != vlm.width:
        raise ModelError(
            f"{about} and have {channels} channels, {name!r} takes {vlm.width}; compress with its "
            "own encoder: VideoCompressor(encoder=vlm.encoder)"
        )


def maker_of(spec: str) -> str:
    """Returns the checkpoint that a spec names, without the path, or the part where it has none."""
    match = _MODEL.search(spec)
    return spec.partition(":")[0] if match is None else called(match[1])


def _settings(path: Path) -> bytes:
    try:
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return b""
    return json.dumps(_lasting(settings), sort_keys=True).encode()


def _lasting(settings: Any) -> Any:
    """Returns a configuration without what saving it again changes."""
    if not isinstance(settings, dict):
        return settings
    return {key: _lasting(value) for key, value in settings.items() if key not in IGNORED}
