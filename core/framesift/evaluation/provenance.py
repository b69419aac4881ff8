"""Where figures come from: the machine, the versions and the commit."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from framesift.strategies import registry
from framesift.types.spec import bracketed

PACKAGES: Final = (
    "framesift", "av", "opencv-python-headless", "torch", "transformers", "numpy",
)  # fmt: skip
CHANGED: Final = "+changes"
SAMPLES: Final = 256
"""How many places of a file its fingerprint is taken from."""
SAMPLE_BYTES: Final = 2**16


def cpu_model() -> str:
    """Returns the name of the processor."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def machine() -> str:
    """Returns processor, cores and system in one line."""
    return f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def versions(*more: str) -> dict[str, str]:
    """Returns the versions of Python, of `PACKAGES` and of `more`, as far as they are installed."""
    installed = {"python": platform.python_version()}
    for name in (*PACKAGES, *more):
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed


def commit(folder: Path = Path(__file__).parents[1]) -> str:
    """Returns the commit that a folder is checked out from; `'unknown'` where git has none of it.

    It ends in `+changes` if files in the folder differ from that commit.
    """
    try:
        _git(folder, "ls-files", "--error-unmatch", ".")
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}{CHANGED}" if changed else head


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def fingerprint(folder: Path) -> str:
    """Returns what tells the weights in a folder from others, of sizes and spread samples."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for start in range(0, size, max(SAMPLE_BYTES, size // SAMPLES)):
                file.seek(start)
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def without_folders(spec: str) -> str:
    """Returns a strategy's spec with the last names of its folders and what tells their weights."""
    for reached in registry.reaches(spec):
        text = reached.partition("=")[2]
        folder = Path(text)
        if folder.is_dir():
            told = bracketed(f"{folder.resolve().name}@{fingerprint(folder)}")
            # In brackets or not, and not where the name of another folder only begins so.
            value = rf"=\s*(\[\s*)?{re.escape(text)}(?(1)\s*\]|(?=\s*(?:[],|]|$)))"
            spec = re.sub(value, f"={told}".replace("\\", r"\\"), spec)
    return spec
