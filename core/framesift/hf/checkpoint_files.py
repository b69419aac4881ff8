"""The files of a checkpoint, checked before transformers reads them: strangers wrote them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from framesift.errors import ModelError

CONFIG: Final = "config.json"
INDEX: Final = "model.safetensors.index.json"
WEIGHTS: Final = "model.safetensors"
ADAPTER: Final = "adapter_config.json"
SMALL: Final = (
    CONFIG,
    INDEX,
    ADAPTER,
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "chat_template.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
"""Files that hold one JSON object each."""
TOKENIZERS: Final = ("tokenizer.json", "vocab.json")
"""Likewise, with the vocabulary."""
MOST_BYTES: Final = 32 << 20
MOST_VOCABULARY_BYTES: Final = 256 << 20
DEEPEST: Final = 64

SHARD: Final = re.compile(r"(?!\.)[\w.-]+\.safetensors")
"""A file of the checkpoint's own folder."""
ATTENTION: Final = re.compile(r"_?(?:attn|experts)_implementation(?:_internal)?")
"""Settings by which transformers picks the code that computes a layer; with a slash in the value it
fetches a kernel from the hub."""
QUANTIZERS: Final = frozenset({"awq", "bitsandbytes", "compressed-tensors", "gptq", "torchao"})
"""Ways to store weights that fetch no kernels."""
RANGES: Final = (
    (re.compile(r"(?:.*_)?(?:layers?|depth|depths|blocks|experts)"), 512),
    (re.compile(r"(?:.*_)?heads"), 1024),
    (re.compile(r"image_size|patch_size|(?:spatial|temporal)_\w+_size|tile_size"), 8192),
    (re.compile(r"(?:.*_)?(?:hidden|intermediate|embed|head|ffn|mlp)_?(?:size|dim)"), 1 << 18),
    (re.compile(r"vocab_size|num_position_embeddings|max_source_positions"), 1 << 23),
    (re.compile(r"max_position_embeddings"), 1 << 31),
    (re.compile(r"num_labels"), 1 << 16),
)
"""Largest number that a configuration may give under a name, far above what models have."""
POSITIVE: Final = ("image_size", "patch_size", "hidden_size", "vocab_size", "temporal_patch_size")
MOST_GROWTH: Final = 64
"""Letters that a tokenizer makes of one by replacing."""
MOST_ADDED: Final = 64
"""Pieces that a tokenizer puts around a text, and tokens of each."""
MOST_PATCHES: Final = 1 << 16
"""Patches of one picture."""


def called(model: str) -> str:
    """Returns what messages call a checkpoint: its hub id, or its folder's name without the path.

    Messages reach people who need not know where things stand on this machine.
    """
    path = Path(model)
    return (path.name or path.resolve().name) if path.is_absolute() or path.is_dir() else model


def check_files(model: str, folder: Path, *, trusted: bool) -> None:
    """Refuses a checkpoint whose files ask for things that no vision model needs.

    Args:
        model: as the user has named it.
        folder: where its files are.
        trusted: whether its own code may run; its configuration may then choose kernels as well.

    Raises:
        ModelError: a file that does not hold a JSON object, weights elsewhere or pickled, code
            from elsewhere, or numbers beyond all models.
    """
    for name in (*SMALL, *TOKENIZERS):
        if (folder / name).is_file():
            _ = read_object(model, folder / name)
    if (folder / TOKENIZERS[0]).is_file():
        _check_growth(model, read_object(model, folder / TOKENIZERS[0]))
    if (folder / ADAPTER).is_file():
        raise ModelError(
            f"{called(model)!r} is an adapter ({ADAPTER}), which stands on another checkpoint; "
            "merge it into its base model, save that, and remove the file"
        )
    if (folder / CONFIG).is_file():
        _check_config(model, read_object(model, folder / CONFIG), trusted)
    if (folder / INDEX).is_file():
        _ = shards(model, folder)


def read_object(model: str, path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file of a checkpoint.

    Raises:
        ModelError: it holds something else, or more than such a file needs.
    """
    status = path.stat()
    return _read(called(model), path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=32)
def _read(model: str, path: Path, changed: int, size: int) -> dict[str, Any]:
    most = MOST_VOCABULARY_BYTES if path.name in TOKENIZERS else MOST_BYTES
    if size > most:
        raise _unfit(path.name, model, f"has {size} bytes, at most {most} are read")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise _unfit(path.name, model, f"is not JSON ({reason})") from error
    if not isinstance(entries, dict):
        raise _unfit(path.name, model, f"holds {type(entries).__name__}, not an object")
    if path.name not in TOKENIZERS and any(depth > DEEPEST for *_, depth in _settings(entries)):
        raise _unfit(path.name, model, f"is nested more than {DEEPEST} deep")
    return entries


def shards(model: str, folder: Path) -> list[str]:
    """Returns the names of the files that hold a checkpoint's weights.

    Raises:
        ModelError: its index names something else than safetensors files of the same folder.
    """
    if not (folder / INDEX).is_file() or (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    places = read_object(model, folder / INDEX).get("weight_map")
    names = list(places.values()) if isinstance(places, dict) else []
    if wrong := [name for name in names if not (isinstance(name, str) and SHARD.fullmatch(name))]:
        raise ModelError(
            f"{INDEX} of {called(model)!r} names {str(wrong[0])[:80]!r}; weights must be "
            "safetensors files of its own folder, since others can run any code when they are "
            "read; save the model again with safe_serialization"
        )
    if not names:
        raise _unfit(INDEX, model, "names no weights in its weight_map")
    return sorted(set(names))


def _unfit(name: str, model: str, problem: str) -> ModelError:
    """Returns the error about a file of a checkpoint that must be replaced."""
    return ModelError(
        f"{name} of {called(model)!r} {problem}; take the file that came with the model"
    )


def _check_growth(model: str, tokenizer: dict[str, Any]) -> None:
    """Refuses a tokenizer that writes more for a text than tokenizers do: replacements multiply."""
    for _, step, _ in _settings({"": tokenizer.get("post_processor")}):
        if isinstance(step, list) and len(step) > MOST_ADDED:
            pieces = f"puts {len(step)} pieces around a text (post_processor)"
            raise _unfit(TOKENIZERS[0], model, f"{pieces}, at most {MOST_ADDED} are read")
    for part in ("normalizer", "decoder"):
        growth = 1.0
        for _, step, depth in _settings({part: tokenizer.get(part)}):
            if depth > DEEPEST:
                growth = MOST_GROWTH + 1
            elif isinstance(step, dict) and isinstance(content := step.get("content"), str):
                pattern = step.get("pattern")
                plain = pattern.get("String") if isinstance(pattern, dict) else None
                growth *= max(
                    1.0, len(content) / max(1, len(plain) if isinstance(plain, str) else 1)
                )
        if growth > MOST_GROWTH:
            letters = f"makes up to {growth:.3g} letters of one ({part})"
            raise _unfit(TOKENIZERS[0], model, f"{letters}, at most {MOST_GROWTH} are read")


def _check_config(model: str, config: dict[str, Any], trusted: bool) -> None:
    for key, value, _ in _settings(config):
        if not trusted and (unsafe := _code_from_elsewhere(key, value)):
            raise ModelError(
                f"{CONFIG} of {called(model)!r} has {key}={unsafe[:80]!r}, by which code from "
                "elsewhere would run on this machine; remove it, or pass trust_remote_code=True "
                "if you trust the checkpoint"
            )
        if key == "transformers_weights":
            raise ModelError(
                f"{CONFIG} of {called(model)!r} names its weights ({key}); call them "
                f"{WEIGHTS} and remove the setting"
            )
        for number in value if isinstance(value, list) else [value]:
            _check_number(model, key, number)
        if isinstance(value, dict):
            _check_patches(model, value)
    _check_patches(model, config)


def _code_from_elsewhere(key: str, value: Any) -> str | None:
    """Returns what a setting names if transformers would fetch code for it, else None."""
    if ATTENTION.fullmatch(key):
        names = value.values() if isinstance(value, dict) else [value]
        return next((str(name) for name in names if set(str(name)) & set("/:@\\")), None)
    if key in ("kernel_config", "use_kernels") and value:
        return str(value)
    if key == "quantization_config" and value is not None:
        method = value.get("quant_method") if isinstance(value, dict) else value
        known = method in QUANTIZERS if isinstance(method, str) else False
        old = isinstance(value, dict) and (value.get("load_in_8bit") or value.get("load_in_4bit"))
        return None if known or (method is None and old) else str(method)
    return None


def _check_number(model: str, key: str, number: Any) -> None:
    if isinstance(number, bool) or not isinstance(number, int | float):
        return
    most = next((most for name, most in RANGES if name.fullmatch(key)), 1 << 53)
    if abs(number) > most or (key in POSITIVE and number < 1):
        allowed = f"{'1' if key in POSITIVE else '0'} to {most}"
        raise _unfit(CONFIG, model, f"has {key}={number:.10g}, allowed is {allowed}")


def _check_patches(model: str, config: dict[str, Any]) -> None:
    """Refuses a configuration of which one picture has more patches than any tower takes."""
    sides: list[tuple[int, int]] = []
    for key in ("image_size", "patch_size"):
        given = config.get(key)
        numbers = given if isinstance(given, list) else [given]
        if not numbers or not all(isinstance(number, int) and number > 0 for number in numbers):
            return
        first, *_, last = [int(number) for number in (*numbers, *numbers) if number]
        sides.append((first, last))
    patches = (sides[0][0] // sides[1][0]) * (sides[0][1] // sides[1][1])
    if patches > MOST_PATCHES:
        cut = f"cuts a picture of image_size={list(sides[0])} into {patches} patches"
        raise _unfit(CONFIG, model, f"{cut}, at most {MOST_PATCHES} are read")


def _settings(config: dict[str, Any]) -> Iterator[tuple[str, Any, int]]:
    """Yields every setting of a configuration, nested ones too: name, value and depth."""
    waiting: list[tuple[str, Any, int]] = [(key, value, 1) for key, value in config.items()]
    while waiting:
        key, value, depth = waiting.pop()
        yield key, value, depth
        if depth > DEEPEST:
            continue
        if isinstance(value, dict):
            waiting += [(name, inner, depth + 1) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [
                (key, inner, depth + 1) for inner in value if isinstance(inner, dict | list)
            ]
