import ast
import compileall
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

import framesift
from framesift import errors, export, serving


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_all_is_sorted_complete_and_loadable():
    assert framesift.__all__ == sorted(framesift.__all__) == dir(framesift)
    assert {"VideoCompressor", "FramesiftError", "load", "export", "testing"} <= set(
        framesift.__all__
    )
    for name in framesift.__all__:
        assert getattr(framesift, name) is not None


def test_the_table_is_what_type_checkers_read():
    """Names with `as` are those that a package exports to them."""
    for package in (framesift, export, serving):
        tree = ast.parse(Path(package.__file__).read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        aliases = [alias for node in imports for alias in node.names if alias.asname]
        assert all(alias.name == alias.asname for alias in aliases)
        assert sorted(alias.name for alias in aliases) == package.__all__


def test_every_error_is_public():
    tree = ast.parse(Path(errors.__file__).read_text())
    named = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert len(named) >= 20
    assert set(named) <= set(framesift.__all__)
    for name in named:
        assert getattr(framesift, name) is getattr(errors, name)


@pytest.mark.parametrize("package", [framesift, export], ids=lambda p: p.__name__)
def test_public_objects_say_that_they_are_of_the_package_and_can_be_pickled(package):
    for name in package.__all__:
        value = getattr(package, name)
        if isinstance(value, type | FunctionType):
            assert value.__module__ == package.__name__, name
            assert pickle.loads(pickle.dumps(value)) is value


def test_options_are_checked_and_described_whether_or_not_their_class_is_public():
    """A class that says it is of framesift must not lose its annotations and docstrings."""
    deep = "from framesift.fetching.limits import FetchLimits as Kind"
    public = "from framesift import FetchLimits as Kind"
    schemas = [run(f"{line}; print(Kind.options_schema())") for line in (deep, public)]
    assert schemas[0] == schemas[1]
    assert "Largest download" in schemas[0]
    for name in ("VideoCompressor", "Generation", "FetchLimits"):
        kind = getattr(framesift, name)
        assert kind.options_schema()["properties"].keys() == kind.__dataclass_fields__.keys()


def test_every_public_object_is_described():
    for name in framesift.__all__:
        if name not in ("__version__", "EvidenceKind"):  # a text, and a list of literals
            assert getattr(framesift, name).__doc__, name


def test_compiled_files_alone_are_refused_in_one_line(tmp_path):
    (tmp_path / "framesift").mkdir()
    for name in ("__init__.py", "_names.py", "_version.py"):
        shutil.copy(Path(framesift.__file__).with_name(name), tmp_path / "framesift")
    compileall.compile_dir(tmp_path, quiet=1, legacy=True)
    for path in tmp_path.rglob("*.py"):
        path.unlink()
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import framesift"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: framesift reads its public names from its source")


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(framesift, "VideoShrinker")


def test_import_loads_neither_torch_nor_av_nor_transformers():
    loaded = run("import framesift, sys; print(*sys.modules)").split()
    assert not {"torch", "av", "cv2", "numpy", "transformers", "pydantic"} & set(loaded)


def test_import_is_instant():
    code = "import time; s = time.process_time(); import framesift; print(time.process_time() - s)"
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

    assert openai_content is framesift.export.openai_content


def test_a_module_that_was_renamed_lists_its_names_and_can_be_imported_whole():
    names: dict[str, object] = {}
    with pytest.warns(DeprecationWarning, match=r"framesift\.handoff is now framesift\.export"):
        exec("from framesift.handoff import *", names)
    assert names["openai_content"] is export.openai_content
    assert dir(sys.modules["framesift.handoff"]) == export.__all__
    with pytest.warns(DeprecationWarning, match=r"framesift\.progress is now framesift\.run"):
        exec("from framesift.progress import *", names)
    assert names["time_limit"] is framesift.time_limit


def test_a_name_that_was_renamed_works_and_warns():
    with pytest.warns(DeprecationWarning, match=r"load_compressed is now framesift\.load;"):
        assert framesift.load_compressed is framesift.load
    with pytest.warns(DeprecationWarning, match=r"framesift\.CompressedVideo\.save;") as caught:
        assert framesift.save_compressed is framesift.CompressedVideo.save
    assert caught[0].filename == __file__


def test_importing_the_exports_is_light():
    loaded = run("import framesift.export, sys; print(*sys.modules)").split()
    assert not {"torch", "numpy", "pydantic"} & set(loaded)
