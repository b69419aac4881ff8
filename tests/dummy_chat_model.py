"""A chat model of lmms-eval that answers with the times of the frames it is shown."""

from __future__ import annotations

import json

import torch
from lmms_eval.api.instance import GenerationResult, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.protocol import ChatMessages


class DummyProcessor:
    """Keeps what it is told and makes a prompt of one visual token for each frame."""

    video_token_id = 7

    def __init__(self) -> None:
        self.told: list[dict] = []

    def __call__(self, *, text, videos, **told):
        self.told.append(told)
        return {"input_ids": torch.tensor([[1] + [7] * sum(map(len, videos)) + [2]])}


class DummyChat(lmms):
    """Asks its processor as the harness's own models do, or has none and reads the messages."""

    is_simple = False

    def __init__(self, has_processor: bool = True, batch_size: int = 1) -> None:
        super().__init__()
        if has_processor:
            self.processor = DummyProcessor()

    def generate_until(self, requests):
        return [self._answer(*request.arguments) for request in requests]

    def _answer(self, context, doc_to_messages, options, doc_id, task, split):
        doc = self.task_dict[task][split][doc_id]
        messages = ChatMessages(messages=doc_to_messages(doc))
        if not hasattr(self, "processor"):
            (message,) = messages.messages
            return json.dumps([getattr(item, "text", item.type) for item in message.content])
        _, videos, _ = messages.extract_media()
        self.processor(text="prompt", videos=videos)
        (told,) = self.processor.told[-1]["video_metadata"]
        seconds = [number / told["fps"] for number in told["frames_indices"]]
        return GenerationResult(text=json.dumps(seconds), token_counts=TokenCounts(output_tokens=4))

    def loglikelihood(self, requests):
        raise NotImplementedError

    def generate_until_multi_round(self, requests):
        raise NotImplementedError
