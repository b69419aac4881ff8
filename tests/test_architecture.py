"""The house rules that a linter does not know."""

import ast
import importlib
import re
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "core" / "framesift"
FILES = sorted(PACKAGE.rglob("*.py"))
BENCHMARKS = sorted((Path(__file__).parent / "benchmarks").rglob("*.py"))
LAYERS = [
    {"types", "errors", "registry", "run", "disk"},
    {"hf", "nn", "fetching", "synthetic"},
    {"sources", "decoders", "encoders", "readers", "strategies"},
    {"vlms"},
    {"answering", "scorers", "selectors"},
    {"compression", "serving", "export", "report"},
    {"batching", "evaluation", "training", "playground", "testing", "cli", "__init__", "__main__"},
]
PLURALS = {"sources", "decoders", "encoders", "readers", "scorers", "selectors", "strategies"} | {
    "vlms"
}
MOST_LINES, MOST_FUNCTION_LINES, MOST_PRIVATE_TESTS = 300, 50, 12


def layer_of(room):
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


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


def imports_between_rooms():
    """Yields each file, its room, and the room and dotted module that it imports."""
    for path in FILES:
        here = own_parts(path)
        for module in imports_of(path):
            there = module.split(".")[1:]
            if here != ("__init__",) and there and there[0][0] != "_" and there[0] != here[0]:
                yield path, here[0], there[0], module


def test_imports_point_down():
    upwards = [
        f"{path} must not import {module}"
        for path, here, there, module in imports_between_rooms()
        if layer_of(there) > layer_of(here)
    ]
    assert upwards == []


def test_rooms_do_not_import_each_other_in_a_circle():
    below = {}
    for _, here, there, _ in imports_between_rooms():
        below.setdefault(here, set()).add(there)
    TopologicalSorter(below).prepare()


def private_folder(module):
    """Returns the folder that a module which begins with an underscore is private to."""
    names = tuple(module.split(".")[1:])
    private = (place for place, name in enumerate(names) if name[0] == "_" and name != "_version")
    return next((names[:place] for place in private), None)


def test_what_begins_with_an_underscore_is_private_to_its_folder():
    entered = [
        f"{path} must not import {module}"
        for path in FILES
        for module in imports_of(path)
        if (folder := private_folder(module)) is not None
        if own_parts(path)[:-1][: len(folder)] != folder
    ]
    assert entered == []


def test_the_root_is_small_and_every_room_has_a_layer():
    rooms = {path.stem for path in PACKAGE.iterdir() if path.name[0] not in "._"} - {"py"}
    assert rooms <= set.union(*LAYERS)
    assert len(rooms) <= 28
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= 13


def test_the_map_describes_every_room_in_its_layer_and_names_files_that_exist():
    page = (PACKAGE.parents[1] / "ARCHITECTURE.md").read_text()
    layers = page.partition("## Imports point one way")[2].partition("\n## ")[0]
    named = [set(re.findall(r"`(\w+)`", row)) for row in re.findall(r"^\| \d \|.*", layers, re.M)]
    there = {path.stem for path in PACKAGE.glob("[a-z]*")} - {"py"}
    assert named == [layer & there for layer in LAYERS]
    rooms = page.partition("## Rooms")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", rooms, re.M)) == sorted(set.union(*named))
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


def is_part(folder, module):
    beside = importlib.import_module(f"framesift.{folder}").registry.beside
    return module[0] != "_" and module not in beside


def test_parts_of_a_folder_do_not_import_each_other():
    sideways = [
        f"{path} must not import its neighbour {module}"
        for path in FILES
        if (here := own_parts(path))[0] in PLURALS and is_part(here[0], here[-1])
        for module in imports_of(path)
        if (there := module.split(".")[1:])[:1] == [here[0]] and len(there) > 1
        if is_part(*there[:2])
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


def test_a_class_has_its_name_alone():
    """Parts are named like their files, which different registries may have in common."""
    homes = {}
    for path in FILES:
        here = own_parts(path)
        if here[0] not in PLURALS or not is_part(here[0], here[-1]):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    homes.setdefault(node.name, []).append(str(path))
    assert [found for found in homes.items() if len(found[1]) > 1] == []


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
    beside = {"evaluation", "testing", "training"}
    for path in FILES:
        if path.name != "temporary.py" and not beside & set(own_parts(path)):
            assert "tempfile" not in path.read_text(), path


def test_tests_lie_in_folders_named_like_the_rooms_that_they_test():
    tests = Path(__file__).parent / "core"
    for path in tests.rglob("test_*.py"):
        assert PACKAGE.joinpath(path.parent.relative_to(tests)).is_dir(), path


def imports_private(path):
    """Returns whether a test imports something of ours whose name begins with an underscore."""
    adapters = {folder.name for folder in (PACKAGE.parents[1] / "integrations").glob("*/*_*")}
    return any(
        name[0] == "_" and name != "_version"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        if (node.module or "").partition(".")[0] in {"framesift", "llama_index", *adapters}
        for names in [(node.module or "").split("."), [alias.name for alias in node.names]]
        for name in names
    )


def test_tests_import_private_units_only_where_these_have_no_public_face():
    entering = [path for path in Path(__file__).parent.rglob("*.py") if imports_private(path)]
    assert len(entering) <= MOST_PRIVATE_TESTS, entering


def test_weights_are_never_unpickled():
    for path in FILES:
        text = path.read_text()
        assert "torch.load" not in text, path
        assert "import pickle" not in text, path
