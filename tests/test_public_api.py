import subprocess
import sys

import pytest

import framesift


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_all_is_sorted_complete_and_loadable():
    assert framesift.__all__ == sorted(framesift.__all__)
    public = set(framesift._HOMES) | framesift._PACKAGES | {"__version__"}
    assert set(framesift.__all__) == public
    for name in framesift.__all__:
        assert getattr(framesift, name) is not None


def test_every_public_object_is_described():
    for name in framesift.__all__:
        if name not in ("__version__", "EvidenceKind"):  # a text, and a list of literals
            assert getattr(framesift, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(framesift, "VideoShrinker")


def test_import_loads_neither_torch_nor_av_nor_transformers():
    loaded = run("import framesift, sys; print(*sys.modules)").split()
    assert not {"torch", "av", "cv2", "numpy", "transformers", "pydantic"} & set(loaded)


def test_import_is_instant():
    code = "import time; s = time.perf_counter(); import framesift; print(time.perf_counter() - s)"
    assert min(float(run(code)) for _ in range(3)) < 0.3


def test_listing_imports_no_part():
    code = (
        "import framesift, sys\n"
        "assert 'temporal' in framesift.strategies() and 'clip' in framesift.encoders()\n"
        "print(*(name for name in sys.modules if name.startswith('framesift.')))"
    )
    loaded = set(run(code).split())
    assert not {"framesift.strategies.temporal", "framesift.encoders.clip"} & loaded


def test_the_version_is_printed():
    out = subprocess.run(
        [sys.executable, "-m", "framesift", "--version"], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == framesift.__version__


def test_a_module_that_was_renamed_works_under_its_old_name_and_warns():
    with pytest.warns(DeprecationWarning, match=r"framesift\.handoff is now framesift\.export"):
        from framesift.handoff import openai_content
    from framesift.export import engines

    assert openai_content is engines.openai_content
