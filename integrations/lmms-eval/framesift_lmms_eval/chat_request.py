"""A request of the harness to a chat model, by name instead of by place."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from framesift.errors import InvalidOptionError
from framesift_lmms_eval.questions import bare_question
from framesift_lmms_eval.videos import Message

PARTS: Final = 6
"""Arguments of a request to a chat model."""

Messages = Callable[[Mapping[str, Any]], Sequence[Message]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What one sample asks of a chat model."""

    instance: Any
    """The harness's own request."""
    doc_to_messages: Messages
    options: Mapping[str, Any]
    """The task's `generation_kwargs`."""
    doc_id: int
    task: str
    doc: Mapping[str, Any]
    """The sample itself."""

    @classmethod
    def of(cls, instance: Any, samples: Mapping[str, Any]) -> ChatRequest:
        """Returns a request with its sample.

        Args:
            instance: what the harness hands to `generate_until`.
            samples: by task, then split, then number: the model's `task_dict`.

        Raises:
            InvalidOptionError: it is not the request of a chat model.
        """
        arguments = instance.arguments
        if len(arguments) != PARTS or not callable(arguments[1]):
            raise InvalidOptionError(
                f"the task's requests have {len(arguments)} arguments, not the {PARTS} of messages "
                "for a chat model; run it without --force_simple, on lmms-eval 0.7"
            )
        _, doc_to_messages, options, doc_id, task, split = arguments
        return cls(
            instance=instance,
            doc_to_messages=doc_to_messages,
            options=options or {},
            doc_id=doc_id,
            task=task,
            doc=samples[task][split][doc_id],
        )

    @property
    def messages(self) -> Sequence[Message]:
        """What the task asks, its videos as addresses."""
        return self.doc_to_messages(self.doc)

    def question(self, field: str) -> str | None:
        """Returns the question without the prompt around it, None if the sample has none."""
        return bare_question(self.task, self.doc, field)

    def asking(self, doc_to_messages: Messages) -> Any:
        """Returns a copy of the harness's request that asks with other messages."""
        changed = copy.copy(self.instance)
        first, _, *others = self.instance.arguments
        changed.arguments = (first, doc_to_messages, *others)
        return changed
