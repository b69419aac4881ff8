"""Adapters stand on public names alone, and each is a small translation."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ADAPTERS = Path(__file__).parents[2] / "integrations"
FILES = sorted(ADAPTERS.rglob("*.py"))
PUBLIC = (
    *("framesift", "framesift.errors", "framesift.export", "framesift.serving"),
    # A page that the server mounts; it stands on the report and on compression, above `serving`.
    "framesift.playground",
    # What an engine of batches does its work with, for the one that is an adapter.
    "framesift.batching",
)


def public_names(module):
    """Returns what a table lists, or the classes that the module of errors defines."""
    table = importlib.import_module(module)
    errors = (name for name, value in vars(table).items() if inspect.isclass(value))
    return set(getattr(table, "__all__", errors))


def core_imports(tree):
    """Yields each module of the core that a file imports from, and the names that it takes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                (name.name, set()) for name in node.names if name.name.split(".")[0] == "framesift"
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "framesift":
            yield node.module, {name.name for name in node.names}


def attributes_of_core(tree):
    """Yields dotted names such as `framesift.strategies.facts` that a file reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (text := ast.unparse(node)).startswith("framesift."):
            yield text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ADAPTERS)))
def test_an_adapter_imports_public_names_alone(path):
    tree = ast.parse(path.read_text())
    for module, names in core_imports(tree):
        assert module in PUBLIC, f"{path} must not import {module}"
        assert names <= public_names(module), f"{path} takes {names - public_names(module)}"
    for dotted in attributes_of_core(tree):
        assert dotted.split(".")[1] in public_names("framesift"), f"{path} reads {dotted}"
        assert "base" not in dotted.split("."), f"{path} reads {dotted}"


MOST_LINES = {
    "langchain": 2300,
    "llama-index-llms": 420,
    "llama-index-readers": 810,
    "lmms-eval": 1220,
    "mcp": 950,
    "ray": 800,
    "server": 7500,
}
"""What a distribution may grow to; a rule that another surface would need as well is the core's."""


@pytest.mark.parametrize("name", sorted(path.name for path in ADAPTERS.iterdir()))
def test_an_adapter_is_small(name):
    files = [path for path in FILES if path.relative_to(ADAPTERS).parts[0] == name]
    lines = sum(path.read_text().count("\n") for path in files)
    assert lines <= MOST_LINES[name], f"{name} has {lines} lines"
