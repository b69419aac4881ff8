"""The decoding step of a loaded model, compiled: where it can be, and in which thread it runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress
from contextvars import copy_context
from functools import cache, partial
from queue import SimpleQueue
from threading import Event, Lock
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import torch

from framesift.hf.attention import is_listened_to, own_attention
from framesift.registry import require

Result = TypeVar("Result")
Here = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Returns a function that runs another one in the thread that waits for the work."""

DEVICES: Final = ("cuda",)
"""Kinds of device on which a compiled step is faster."""
LAYERS: Final = {"full_attention", "sliding_attention"}
"""Kinds of layers whose columns can all be kept and cut back."""
STEP_SECONDS: Final = 0.05
"""How often work that waits for its caller looks whether it was left."""

_guard: Final = Lock()
_threads: Final[WeakKeyDictionary[Any, ThreadPoolExecutor]] = WeakKeyDictionary()
_failed: Final[WeakKeyDictionary[Any, str]] = WeakKeyDictionary()


def obstacle(model: Any) -> str | None:
    """Returns why the decoding step of a model of transformers is not compiled; None if it is."""
    config = model.config.get_text_config(decoder=True)
    kinds = set(getattr(config, "layer_types", None) or ()) - LAYERS
    attention = own_attention(config)
    quantizer = getattr(model, "hf_quantizer", None)
    places = {str(place) for place in (getattr(model, "hf_device_map", None) or {}).values()}
    if model.device.type not in DEVICES:
        return f"it makes answers faster on CUDA only, and the model is on {model.device.type}"
    if is_listened_to(config):
        return "in_llm drops tokens between two layers"
    if attention not in {"sdpa", "eager"}:
        return f"the LLM computes attention by {attention!r}; load it with 'sdpa'"
    if kinds:
        return f"the LLM has layers of the kind {', '.join(sorted(kinds))}"
    if quantizer is not None and not quantizer.is_compileable:
        return "weights quantized this way cannot be compiled"
    if len(places) > 1 and places & {"cpu", "disk"}:
        return "some of the weights are not on the GPU"
    return _failed.get(model)


def not_compiled(reason: str) -> str:
    """Returns the warning of an answer that was to be compiled and was not."""
    return f"compiled=True had no effect: {reason}"


def note_failure(model: Any, error: BaseException) -> str:
    """Returns in one line why compiling failed; the model's step is not compiled again."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    _failed[model] = f"compiling failed: {type(error).__name__}: {lines[0] if lines else ''}"[:300]
    return _failed[model]


def compile_options(model: Any) -> dict[str, Any]:
    """Returns what `GenerationConfig` takes so that only what may be compiled is."""
    if model.device.type not in DEVICES:
        return {"disable_compile": True}
    # A cache that has grown is compiled anew: kernels for any size would be slower for all.
    return {"compile_config": require("transformers", extra="hf").CompileConfig(dynamic=False)}


def over_fixed(model: Any, inputs: dict[str, Any], generation_config: Any, **options: Any) -> Any:
    """Returns what `generate` does over a cache of fixed size, compiled where that is faster."""
    generation_config.update(**compile_options(model))
    with inputs["past_key_values"].decoding():
        return model.generate(**inputs, generation_config=generation_config, **options)


@cache
def compile_errors() -> tuple[type[BaseException], ...]:
    """Returns what is raised where a step cannot be compiled, such as without a C compiler."""
    compiler: Any = require("torch._dynamo.exc", extra="hf")
    return (compiler.TorchDynamoException, AssertionError)


def in_own_thread(model: Any, work: Callable[[Here], Result]) -> Result:
    """Returns what `work` returns in the thread that runs whatever is compiled of this model.

    A graph that was recorded on a GPU belongs to the thread which recorded it. What the work calls
    through its argument runs here, in the caller's thread, which holds the model and its listeners.
    """
    with _guard:
        threads = _threads.get(model)
        if threads is None:
            threads = ThreadPoolExecutor(1, thread_name_prefix="framesift-decoding")
            _threads[model] = threads
    calls, left = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None](), Event()

    def here(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            done = Future[Any]()
            calls.put((done, partial(function, *args, **options)))
            while not wait([done], STEP_SECONDS).done:
                if left.is_set():
                    raise CancelledError
            return done.result()

        return call

    cuda = torch.cuda
    on_gpu = model.device.type == "cuda"
    # The thread has a device and a stream of its own, and must not overtake what was begun here.
    stream = cuda.stream(cuda.current_stream(model.device)) if on_gpu else nullcontext()

    def run() -> Result:
        with stream:
            return work(here)

    future = threads.submit(copy_context().run, run)
    future.add_done_callback(lambda _: calls.put(None))
    try:
        while (asked := calls.get()) is not None:
            _answer(*asked)
    except BaseException:  # Ctrl-C while it waits: the work ends at its next call
        left.set()
        _wait_for(future)
        raise
    return future.result()


def _wait_for(future: Future[Any]) -> None:
    """Waits whatever happens: a step in work cannot be broken off, and writes to its cache."""
    while not future.done():
        with suppress(BaseException):
            wait([future])


def _answer(done: Future[Any], function: Callable[[], Any]) -> None:
    try:
        done.set_result(function())
    except BaseException as error:
        done.set_exception(error)
