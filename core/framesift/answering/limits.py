"""What fits: into the context an LLM was made for, and into the memory of its GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, Literal

import torch

from framesift.errors import BudgetError, FramesiftError, ModelError
from framesift.hf.growing_cache import state_layers
from framesift.types.device import driver_failure, is_lack_of_memory, is_of_driver
from framesift.vlms.base import VLM
from framesift.vlms.prompt import MOVED, Prompt, Turn

Positions = Literal["auto", "original", "compact"]

SPARE: Final = 0.9
"""Share of a room that is planned with where only an estimate says what fits into it."""


def fitting_prompt(
    vlm: VLM, turns: Sequence[Turn], new_tokens: int, positions: Positions, *, text_tokens: int = 0
) -> Prompt:
    """Returns the prompt of a conversation that leaves the LLM room for an answer.

    Args:
        vlm: what reads it.
        turns: the conversation, the user last.
        new_tokens: most tokens of the answer.
        positions: as in `VLM.prompt`; `"auto"` moves tokens up where the answer would not fit else.
        text_tokens: room for lines that will stand beside the videos, besides those of `turns`.

    Raises:
        BudgetError: prompt and answer exceed the context; says how many tokens to keep.
    """
    prompt = vlm.prompt(turns, positions=positions)
    room = vlm.context_tokens - new_tokens - text_tokens
    if positions == "auto" and len(prompt.input_ids) <= room < _reach(prompt):
        warning = (
            f"an answer of up to {new_tokens} tokens would reach beyond the {vlm.context_tokens} "
            f"positions that {vlm.called!r} has, {MOVED}"
        )
        prompt = replace(vlm.prompt(turns, positions="compact"), warnings=(warning,))
    if _reach(prompt) > room:
        raise BudgetError(_too_long(vlm, prompt, turns, new_tokens, text_tokens))
    return prompt


def _reach(prompt: Prompt) -> int:
    """Returns how many positions a prompt takes, gaps of dropped tokens included."""
    return max(len(prompt.input_ids), int(prompt.position_ids.max()) + 1)


def _too_long(
    vlm: VLM, prompt: Prompt, turns: Sequence[Turn], new_tokens: int, text_tokens: int
) -> str:
    columns, visual = len(prompt.input_ids), len(prompt.features)
    room, text = vlm.context_tokens - new_tokens - text_tokens, columns - visual
    videos = [video for turn in turns for video in turn.videos]
    each = " of each video" if len(videos) > 1 else ""
    tokens = (room - text) // max(1, len(videos))
    lines = _lines_tokens(vlm, prompt, turns) + text_tokens
    questions = max(1, sum(bool(turn.beside) for turn in turns))
    # Lines are cut first: they are many where a video has much text, and more than a question asks.
    fitting = (lines - (columns - room)) // questions
    fewer = f"take fewer lines: max_text_tokens={fitting}; or " if lines and fitting >= 1 else ""
    if columns <= room:
        cure = "its tokens alone would fit: pass positions='compact', or sample fewer frames"
    elif tokens >= 1:
        cure = f"{fewer}keep at most {tokens} visual tokens{each}: max_tokens={tokens}"
    elif any(not video.report.picture for video in videos) and (
        (frames := _fitting_frames(vlm, prompt, turns, room)) >= 1
    ):
        own = f"frames have text of their own: sample at most {frames}{each}: max_frames={frames}"
        cure = f"{fewer}{own}"
    else:
        less = ", for fewer lines (max_text_tokens)" if lines and not fewer else ""
        alone = f"the text alone takes {text + text_tokens}: "
        cure = f"{fewer or alone}ask for less{less}, or for a shorter answer"
    beside = f", {lines} of them lines of the video{'s' * bool(each)}" if lines else ""
    return (
        f"a prompt that takes {_reach(prompt) + text_tokens} positions ({visual} visual tokens, "
        f"{text + text_tokens} of text{beside}) and an answer of up to {new_tokens} exceed the "
        f"{vlm.context_tokens} that {vlm.called!r} was made for; {cure}"
    )


def _lines_tokens(vlm: VLM, prompt: Prompt, turns: Sequence[Turn]) -> int:
    """Returns by how many columns the lines beside videos make a prompt longer."""
    if not any(turn.beside for turn in turns):
        return 0
    bare = vlm.prompt([replace(turn, beside="") for turn in turns])
    return len(prompt.input_ids) - len(bare.input_ids)


def _fitting_frames(vlm: VLM, prompt: Prompt, turns: Sequence[Turn], room: int) -> int:
    """Returns how many frames of each video fit, if they take what they take on average."""
    videos = [video for turn in turns for video in turn.videos]
    bare = vlm.prompt([replace(turn, videos=()) for turn in turns])
    blocks = [
        block
        for video in videos
        for item in (vlm.picture_blocks if video.report.picture else vlm.blocks)(video)
        for block in item
    ]
    around = "".join(block.lead + block.tail for block in blocks)
    fixed = len(bare.input_ids) + len(vlm.tokenizer(around, add_special_tokens=False).input_ids)
    steps = sum(video.report.frames_in for video in videos)
    each = (len(prompt.input_ids) - fixed) / steps
    return int(SPARE * (room - fixed) / len(videos) / each) * vlm.encoder.frames_per_step


@contextmanager
def prompt_memory_errors(vlm: VLM, prompt: Prompt) -> Iterator[None]:
    """Raises a GPU's lack of memory for a prompt as one line with the `keep` that would fit.

    Raises:
        ModelError: the GPU's memory does not hold the prompt, or its driver failed.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_of_driver(error) and not is_lack_of_memory(error):
            doing = f"reading a prompt of {len(prompt.input_ids)} tokens"
            raise ModelError(driver_failure(vlm.hf.device, doing, error)) from error
        if isinstance(error, FramesiftError) or not is_lack_of_memory(error):
            raise
        kept = len(prompt.features) / max(1, prompt.visual_tokens_before)
        raise ModelError(
            f"{vlm.hf.device} has no memory for a prompt of {len(prompt.input_ids)} tokens, "
            f"{len(prompt.features)} of them visual (keep={kept:.3g}); about "
            f"keep={_fitting_keep(vlm.hf, prompt, kept):.2g} would fit by estimate, or load the "
            "model with quantize='4bit'",
            to_caller=f"the model has no memory for {len(prompt.features)} visual tokens; ask "
            "about a shorter part of the video (#t=START,END at its end), or about fewer frames",
        ) from error


def _fitting_keep(model: Any, prompt: Prompt, kept: float) -> float:
    """Returns an estimate of what fits, at most half of what did not."""
    text = len(prompt.input_ids) - len(prompt.features)
    columns = _fitting_columns(model) - text
    return max(min(kept / 2, columns / max(1, prompt.visual_tokens_before)), 1e-3)


def _fitting_columns(model: Any) -> float:
    """Returns how many columns the memory beside the weights holds: cache and one layer's work."""
    if model.device.type != "cuda":
        return float("inf")
    config, size = model.config.get_text_config(), model.dtype.itemsize
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    channels = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cached = 2 * (config.num_hidden_layers - state_layers(model)) * heads * channels
    inner = getattr(config, "intermediate_size", None)
    inner = inner or config.num_experts_per_tok * config.moe_intermediate_size
    worked = 8 * config.hidden_size + 3 * inner
    memory: int = torch.cuda.get_device_properties(model.device).total_memory
    weights: int = model.get_memory_footprint()
    per_column: int = size * (cached + worked)
    return (SPARE * memory - weights) / per_column
