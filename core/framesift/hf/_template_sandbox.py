"""A sandbox for chat templates from strangers: allowed calls only, bounded steps and text."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final

from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.ext import LoopControlExtension
from jinja2.runtime import LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Cycler, Joiner
from jinja2.visitor import NodeTransformer

from framesift.hf._template_functions import GenerationTag, Names, json_of, now, refuse
from framesift.hf._template_limits import (
    FILTERS,
    FILTERS_AT_ONCE,
    METHODS,
    TESTS_AT_ONCE,
    Meter,
    TemplateLimitError,
    added,
    collected,
    copied,
    power,
    remainder,
    running,
    times,
    weighed,
)

LONGEST: Final = 128 << 10
"""Letters of a template."""
MOST_NODES: Final = 12_000
"""Parts of a template, since compiling some takes the square of their number."""
HANDED_DOWN: Final = {"_loop_vars", "_block_vars"}
OPERATIONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": added,
    "*": times,
    "**": power,
    "%": remainder,
    "-": operator.sub,
    "/": operator.truediv,
    "//": operator.floordiv,
}
REFUSED: Final = (
    *(nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block),
    nodes.CallBlock,
)
"""What is for pages of several templates."""


def run_template(template: str, values: dict[str, Any]) -> str:
    """Returns what a chat template makes of `values`, as transformers renders it.

    Raises:
        TemplateError: the template cannot be parsed, or refuses the values.
        TemplateLimitError: it does what templates need not, or too much of it.
    """
    if len(template) > LONGEST:
        raise TemplateLimitError(f"it has {len(template)} letters; at most {LONGEST} are run")
    meter = Meter.of(values)
    token = running.set(meter)
    try:
        text: str = _compiled(template).render(values)
    finally:
        running.reset(token)
    if len(text) > meter.text:
        raise TemplateLimitError(
            f"it makes {len(text)} letters of this conversation; at most {meter.text} are read"
        )
    return text


@lru_cache(maxsize=16)
def _compiled(template: str) -> Any:
    return _Box().from_string(template)


class _Box(ImmutableSandboxedEnvironment):
    """An environment as that of transformers in which each operation is counted."""

    intercepted_binops = frozenset(OPERATIONS)

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[GenerationTag, LoopControlExtension],
            finalize=_text_of,
            # What is computed while a template is compiled would go uncounted.
            optimized=False,
        )
        known: dict[str, Any] = {**self.filters, "tojson": json_of}
        tests: dict[str, Any] = self.tests
        self.filters = {
            **{name: _counted(known[name], check) for name, check in FILTERS.items()},
            **{name: known[name] for name in FILTERS_AT_ONCE},
        }
        self.tests = {
            name: test if name in TESTS_AT_ONCE else _counted(test, None)
            for name, test in tests.items()
        }
        self.globals = {
            "range": safe_range,
            "dict": dict,
            "namespace": Names,
            "cycler": Cycler,
            "joiner": Joiner,
            "raise_exception": refuse,
            "strftime_now": now,
        }
        self.callable = [*self.globals.values()]
        self.macro_sizes: dict[str, int] = {}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        if (count := sum(1 for _ in tree.find_all(nodes.Node))) > MOST_NODES:
            raise TemplateLimitError(f"it has {count} parts; at most {MOST_NODES} are run")
        counting: nodes.Template = _Counting(self).visit(tree)
        return counting

    def concat(self, pieces: Any) -> str:
        """Returns pieces of text as one."""
        meter, parts = running.get(), []
        for piece in pieces:
            meter.spend(1, len(piece))
            parts.append(piece)
        return "".join(parts)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Returns what an operator makes of two values."""
        return weighed(OPERATIONS[operator](left, right))

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Returns what a function gives that templates may call."""
        if __obj in (__self.weighed, __self.copied, __self.walked, __self.joined):
            return __obj(*args)
        # What jinja itself hands down: the variables of the loops and blocks around.
        named = {key: kwargs[key] for key in kwargs.keys() - HANDED_DOWN}
        weighed([args, named])
        __self._check_call(__obj, args, named)
        result = super().call(__context, __obj, *args, **kwargs)
        # What a table gives is in the table already.
        return result if isinstance(getattr(__obj, "__self__", None), dict) else weighed(result)

    def _check_call(self, function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if isinstance(function, Macro):
            running.get().spend(self.macro_sizes.get(function.name, 1))
        elif isinstance(owner, str | dict | list | tuple):
            kind = next(kind for kind in METHODS if isinstance(owner, kind))
            method = METHODS[kind].get(name)
            if method is None:
                raise SecurityError(f"it calls {kind.__name__}.{name}, which is not run")
            if not isinstance(owner, dict):
                weighed(owner)
            if method.check is not None:
                method.check(owner, *args, **named)
        elif not (
            any(function is known for known in self.callable)
            or isinstance(function, Joiner | Undefined)
            or isinstance(owner, LoopContext | Cycler)
        ):
            raise SecurityError(f"it calls {name or type(function).__name__!r}, which is not run")

    def weighed(self, value: Any) -> Any:
        """Returns a value, counted."""
        return weighed(value)

    def copied(self, value: Any) -> Any:
        """Returns a part of a value, counted."""
        return copied(value)

    def walked(self, values: Any, size: int) -> Any:
        """Returns what a loop goes over, with what its rounds take counted."""
        if not hasattr(values, "__len__"):
            return collected(values, size)
        running.get().spend(len(values) * size)
        return values

    def joined(self, *values: Any) -> str:
        """Returns the text of values, one behind the other."""
        return self.concat(map(_plain, values))


class _Counting(NodeTransformer):
    """Has a template count what it does."""

    def __init__(self, box: _Box) -> None:
        self._box: Final = box

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        if isinstance(node, REFUSED):
            raise TemplateLimitError(f"it uses {type(node).__name__.lower()}, which is not run")
        repeats = isinstance(node, nodes.For | nodes.Macro)
        size = sum(1 for _ in node.find_all(nodes.Node)) if repeats else 0
        node = self.generic_visit(node, *args, **kwargs)
        if isinstance(node, nodes.For):
            if node.recursive:
                raise TemplateLimitError("it uses a recursive loop, which is not run")
            node.iter = self._call("walked", node.iter, nodes.Const(size))
        elif isinstance(node, nodes.Macro):
            self._box.macro_sizes[node.name] = max(size, self._box.macro_sizes.get(node.name, 0))
        elif isinstance(node, nodes.Compare):
            node.expr = self._call("weighed", node.expr)
            for operand in node.ops:
                operand.expr = self._call("weighed", operand.expr)
        elif isinstance(node, nodes.Concat):
            return self._call("joined", *node.nodes)
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
            return self._call("copied", node)
        elif _makes(node):
            return self._call("weighed", node)
        return node

    def _call(self, name: str, *args: Any) -> nodes.Call:
        call = nodes.Call(nodes.EnvironmentAttribute(name), list(args), [], None, None)
        call.set_environment(self._box)
        return call


def _makes(node: nodes.Node) -> bool:
    """Whether a node makes a list or a table."""
    if isinstance(node, nodes.Tuple):
        return node.ctx == "load"
    return isinstance(node, nodes.List | nodes.Dict)


def _counted(function: Callable[..., Any], check: Callable[..., None] | None) -> Any:
    """Returns a filter or test of jinja that counts what it is given and what it gives."""
    extra = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        weighed([args[extra:], kwargs])
        if check is not None:
            check(*args[extra:], **kwargs)
        return weighed(function(*args, **kwargs))

    return counted


@pass_context
def _text_of(_: Any, value: Any) -> str:
    return _plain(value)


def _plain(value: Any) -> str:
    if not isinstance(value, str):
        weighed(value)
    return str(value)
