"""The chat template of a checkpoint, and the text that it makes of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from framesift.errors import ModelError
from framesift.hf._template_limits import TemplateLimitError
from framesift.hf.checkpoint import find, load_json
from framesift.hf.checkpoint_files import called
from framesift.hf.checkpoint_reading import in_one_line
from framesift.registry import require

TEMPLATES: Final = ("chat_template.jinja", "chat_template.json", "processor_config.json")
"""Files that may hold the chat template of a processor, which goes before the tokenizer's."""
LONGEST: Final = 300
"""Letters of a template's own message that are passed on."""


def load_chat_template(model: str, tokenizer: Any) -> str:
    """Returns the chat template of a checkpoint, the processor's before the tokenizer's.

    Raises:
        ModelError: it has none, or one that is not text.
    """
    source = _own(model) or tokenizer.chat_template
    if isinstance(source, Mapping):
        source = source.get("default")
    if not source:
        raise ModelError(
            f"{called(model)!r} has no chat template, so it is unknown where its pictures "
            "stand; add chat_template.jinja or pass an instruction-tuned checkpoint"
        )
    if not isinstance(source, str):
        raise ModelError(
            f"{called(model)!r} has a chat template of type {type(source).__name__}, which must be "
            "text; take the files that came with the model"
        )
    return source


def _own(model: str) -> Any:
    """Returns the template that belongs to the processor, if there is one."""
    for name in TEMPLATES:
        if not name.endswith(".jinja"):
            template = load_json(model, name).get("chat_template")
        elif (path := find(model, name)) is None:
            continue
        else:
            with in_one_line(model):
                template = path.read_text(encoding="utf-8")
        if template:
            return template
    return None


def render(
    model: str,
    tokenizer: Any,
    template: str,
    messages: Sequence[dict[str, Any]],
    *,
    trust_remote_code: bool = False,
) -> str:
    """Returns the text of a conversation, up to where the answer starts.

    Args:
        model: what the checkpoint is called in messages.
        tokenizer: the model's, whose special tokens a template may name.
        template: the chat template.
        messages: the conversation, as transformers takes it.
        trust_remote_code: whether the template may do more than templates need.

    Raises:
        ModelError: the template refuses the conversation, or does more than templates need.
    """
    require("jinja2", extra="hf")
    from framesift.hf._template_sandbox import run_template

    values = {
        **tokenizer.special_tokens_map,
        **{"messages": list(messages), "tools": None, "documents": None},
        "add_generation_prompt": True,
    }
    try:
        if trust_remote_code:
            text: str = tokenizer.apply_chat_template(
                messages, chat_template=template, tokenize=False, add_generation_prompt=True
            )
            return text
        return run_template(template, values)
    except TemplateLimitError as error:
        raise ModelError(
            f"the chat template of {model!r} is not run: {error}; correct the template, or pass "
            "trust_remote_code=True if you trust the checkpoint"
        ) from error
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:LONGEST].rstrip(".")
        raise ModelError(
            f"the chat template of {model!r} does not take this conversation ({reason}); let the "
            "user speak first and last, in turn with the assistant, or correct the template"
        ) from error
