"""Fixtures that many tests share: real clips, and videos whose frames carry their number."""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# Tensors of tests are so small that threads over them only wait for each other, all the more where
# tests run beside each other. It must be set before torch is imported, and reaches child processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from framesift.compression.reading import KeptReadings
from framesift.fetching.limits import FetchLimits
from framesift.synthetic.film import Scene
from framesift.testing.videos import numbers_in as read_numbers
from framesift.testing.videos import write_video as write

HAS_TORCHVISION = importlib.util.find_spec("torchvision") is not None


def _load_torchvision() -> None:
    """Imports torchvision before transformers does, also a build for another build of torch.

    The pure Python part is all that processors need; it only asks that two operators are declared.
    """
    import torch

    try:
        import torchvision
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
        import torchvision  # noqa: F401


_kept: list[object] = []
if HAS_TORCHVISION:
    _load_torchvision()


SLOW_PROMISES = {
    "test_a_cache_of_fixed_size_gives_the_same_answers",
    "test_eager_attention_gives_the_same_plan_and_evidence",
    "test_it_is_spread_over_what_there_is",
    "test_three_turns_are_answered_as_by_fresh_prompts",
}
"""Of `framesift.testing`, whose users need not know our markers."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks promises that are slow, and skips what needs torchvision where there is none."""
    for item in items:
        if getattr(item, "originalname", None) in SLOW_PROMISES:
            item.add_marker("slow")
    if not HAS_TORCHVISION:
        for item in items:
            if item.get_closest_marker("torchvision"):
                item.add_marker(pytest.mark.skip(reason="torchvision is not installed"))


def pytest_collection_finish() -> None:
    """Leaves what collecting the tests has made out of garbage collections, each of which it slows.

    Many thousand tests and all modules that they import take a collection a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def scenes_drawn_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., None]]:
    """A synthetic scene is drawn and encoded by the first test that opens it, and copied by others.

    The same address gives the same bytes; that it does is tested by `drawn_anew`. Workers beside
    each other share the scenes.
    """
    from framesift.sources import synthetic

    base, encode = tmp_path_factory.getbasetemp(), synthetic._encode
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "scenes"
    folder.mkdir(exist_ok=True)

    def once(scene: Scene, path: Path, uri: str, limits: FetchLimits) -> None:
        if limits != FetchLimits():
            encode(scene, path, uri, limits)  # what the limits refuse is seen while it is drawn
            return
        kept = folder / f"{hashlib.sha256(os.fsencode(uri)).hexdigest()}.mp4"
        if kept.exists():
            shutil.copyfile(kept, path)
            return
        encode(scene, path, uri, limits)
        whole = kept.with_suffix(f".{os.getpid()}")
        shutil.copyfile(path, whole)
        whole.replace(kept)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "_encode", once)
        yield encode


@pytest.fixture
def drawn_anew(scenes_drawn_once: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every opening of a scene draws it, as outside of tests."""
    monkeypatch.setattr("framesift.sources.synthetic._encode", scenes_drawn_once)


@pytest.fixture(autouse=True)
def nothing_read_before(monkeypatch):
    """Text that another test read of the same video is not remembered."""
    if "framesift.compression.parts" in sys.modules:
        monkeypatch.setattr("framesift.compression.parts.KEPT", KeptReadings())


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real clips."""
    if "FRAMESIFT_CLIPS" not in os.environ:
        pytest.skip("FRAMESIFT_CLIPS does not name the folder of the real clips")
    return Path(os.environ["FRAMESIFT_CLIPS"])


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Writes a video of numbered frames."""
    return write


@pytest.fixture(scope="session")
def numbers_in() -> Callable[..., list[int]]:
    """Reads the numbers off decoded pictures `(T, H, W, 3)` of any size."""
    return read_numbers
