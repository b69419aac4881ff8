"""The house rules that a linter does not know."""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "core" / "framesift"
FILES = sorted(PACKAGE.rglob("*.py"))
BENCHMARKS = sorted((Path(__file__).parent / "benchmarks").rglob("*.py"))
FLOORS = [
    "errors",
    "temporary",
    "termination",
    "types",
    "registry",
    "progress",
    "writing",
    "nn",
    "sources",
    "decoders",
    "encoders",
    "selectors",
    "strategies",
    "token_stream",
    "vlms",
    "evidence",
    "generation",
    "run",
    "tool_calls",
    "streaming",
    "reader",
    "search",
    "chat",
    "stages",
    "outcomes",
    "pictures",
    "parts",
    "compression",
    "pipeline",
    "assistant",
    "saved",
    "storage",
    "shelf",
    "handoff",
]
TOP = {"evaluation", "training", "distributed", "testing", "cli", "__init__", "__main__"}
PLURALS = {"sources", "decoders", "encoders", "selectors", "strategies", "vlms"}
MOST_LINES, MOST_FUNCTION_LINES = 300, 50


def floor_of(name):
    return len(FLOORS) if name in TOP else FLOORS.index(name)


def imports_of(path):
    """Yields the dotted framesift modules that a file imports, type checking included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("framesift."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("framesift"):
            for alias in node.names:
                inner = PACKAGE.joinpath(*node.module.split(".")[1:])
                is_module = (inner / alias.name).is_dir() or (inner / f"{alias.name}.py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else node.module


def own_parts(path):
    return path.relative_to(PACKAGE).with_suffix("").parts


def test_imports_point_down():
    upwards = [
        f"{path} must not import {module}"
        for path in FILES
        if (here := own_parts(path)) != ("__init__",)
        for module in imports_of(path)
        if (there := module.split(".")[1:]) and there != ["_version"]
        if floor_of(there[0]) > floor_of(here[0])
    ]
    assert upwards == []


def test_the_map_names_the_floors_in_their_order_and_files_that_exist():
    page = (PACKAGE.parents[1] / "ARCHITECTURE.md").read_text()
    order = page.partition("## Imports point one way")[2].partition("Parts of a folder")[0]
    there = {path.stem for path in PACKAGE.glob("[a-z]*")}
    named = [name for name in re.findall(r"[a-z_]+", order) if name not in TOP]
    assert named == [name for name in FLOORS if name in there]
    mechanisms = page.partition("## Where the mechanisms live")[2].partition("\n## ")[0]
    files = {path.name for path in FILES}
    assert set(re.findall(r"(\w+\.py)`", mechanisms)) <= files


def test_the_package_imports_nothing_of_its_tests():
    beside = {path.stem for path in Path(__file__).parent.iterdir()}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not beside & {name.partition(".")[0] for name in names}, path


def test_parts_of_a_folder_do_not_import_each_other():
    sideways = [
        f"{path} must not import its neighbour {module}"
        for path in FILES
        if (here := own_parts(path))[0] in PLURALS and here[-1] != "__init__"
        for module in imports_of(path)
        if (there := module.split(".")[1:])[:1] == [here[0]] and len(there) > 1
        if there[1] != "base" and not there[1].startswith("_")
    ]
    assert sideways == []


def test_files_and_functions_are_short():
    long = []
    for path in FILES + BENCHMARKS:
        text = path.read_text()
        if text.count("\n") > MOST_LINES:
            long.append(f"{path}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node, clean=False) or ""
                lines = node.end_lineno - node.lineno + 1 - (docstring.count("\n") + 1)
                if lines > MOST_FUNCTION_LINES:
                    long.append(f"{path}:{node.lineno} {node.name}: {lines} lines")
    assert long == []


def test_there_is_no_module_for_odds_and_ends():
    names = {path.stem for path in PACKAGE.rglob("*")}
    assert not names & {"utils", "util", "helpers", "common", "misc", "manager", "factory"}


def test_nothing_prints_and_nothing_configures_logging():
    for path in FILES:
        called = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        assert not called & {"print", "logging.basicConfig"}, path


def test_temporary_folders_have_one_home():
    """What is made elsewhere would not be locked, and not be swept after a kill."""
    measuring = {"evaluation", "training"}
    for path in FILES:
        if path.name != "temporary.py" and not measuring & set(own_parts(path)):
            assert "tempfile" not in path.read_text(), path


def test_weights_are_never_unpickled():
    for path in FILES:
        text = path.read_text()
        assert "torch.load" not in text, path
        assert "import pickle" not in text, path
