"""Doubles of engines behind OpenAI's protocol: they decode what they are sent, and refuse the rest.

`Engine` takes what every engine takes. `Vllm`, `Sglang` and `Ollama` answer and refuse in the words
of the engines that they are named after, as their documentation and sources say.
"""

import asyncio
import json
import math
from itertools import pairwise

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from engine_media import QwenVideo, RefusedError, frames_of, picture

TOKEN_PX = 28
"""Side of the square of a picture that is one token."""


def refused(message, status=400):
    body = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return JSONResponse({"error": body}, status)


class Engine:
    """An OpenAI-compatible engine: it notes each request, and answers `heard` in a few words."""

    def __init__(self):
        self.requests, self.heads, self.left = [], [], 0
        self.words = ["It", " is", " red."]
        self.pause_seconds = 0.0
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/models", self.models),
                Route("/v1/audio/transcriptions", self.echo, methods=["POST"]),
                Route("/tokenize", self.echo, methods=["POST"]),
                Route("/page", self.page),
            ]
        )

    async def models(self, request):
        self.heads.append(request.headers)
        return JSONResponse({"object": "list", "data": [{"id": "double", "object": "model"}]})

    async def echo(self, request):
        self.heads.append(request.headers)
        content = await request.body()
        return PlainTextResponse(content, headers={"x-query": str(request.url.query)})

    async def page(self, _):
        return PlainTextResponse("<h1>a page</h1>", media_type="text/html")

    def refuses(self, body):
        """Returns the response to a request that is not taken, None for others."""
        if body.get("model") != "double":
            return refused(f"The model `{body.get('model')}` does not exist.", 404)
        line = self.refusal(body)
        return None if line is None else refused(line)

    def refusal(self, body):
        """Returns the line about what this engine does not take, None for what it does."""
        last = None
        for message in body["messages"]:
            parts = message.get("content") or []
            kinds = {part["type"] for part in parts} if isinstance(parts, list) else set()
            if kinds - {"text"} and message["role"] != "user":
                return f"Unexpected item type in content of role {message['role']}"
            if kinds - {"text", "image_url"}:
                return f"Unknown part type: {sorted(kinds - {'text', 'image_url'})[0]}"
            if message["role"] == last == "user":
                return "Conversation roles must alternate user/assistant/user/assistant/..."
            last = message["role"]
        return None

    async def chat(self, request):
        self.heads.append(request.headers)
        body = json.loads(await request.body())
        self.requests.append(body)
        if (response := self.refuses(body)) is not None:
            return response
        if body.get("stream"):
            return StreamingResponse(self.events(request, body), media_type="text/event-stream")
        await asyncio.sleep(self.pause_seconds)
        message = {"role": "assistant", "content": "".join(self.words)}
        if body.get("tools"):
            call = {"name": body["tools"][0]["function"]["name"], "arguments": "{}"}
            calls = [{"id": "call_1", "type": "function", "function": call}]
            message = {"role": "assistant", "content": None, "tool_calls": calls}
        choices = [
            {"index": number, "message": message, "finish_reason": "stop", "logprobs": None}
            for number in range(body.get("n", 1))
        ]
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "double"}
        return JSONResponse({**head, "choices": choices, "usage": usage}, headers={"x-engine": "1"})

    async def events(self, request, body):
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "double"}
        try:
            last = len(self.words) - 1
            for place, word in enumerate(self.words):
                choice = {"index": 0, "delta": {"role": "assistant", "content": word}}
                choice["finish_reason"] = "stop" if place == last else None
                yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
                await asyncio.sleep(self.pause_seconds)
            if (body.get("stream_options") or {}).get("include_usage"):
                usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
                yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
            yield "data: [DONE]\n\n"
        except asyncio.CancelledError:
            self.left += 1
            raise


class Double(Engine):
    """An engine with a vision LLM; `seen` holds what each request showed it."""

    def __init__(self, *, context=None, most_pictures=None, alternates=False):
        """Takes the limits.

        Args:
            context: tokens of a prompt that fit; None for any number.
            most_pictures: of a request; None for any number.
            alternates: whether the chat template wants roles in turn.
        """
        super().__init__()
        self.context, self.most_pictures = context, most_pictures
        self.alternates = alternates
        self.seen = []

    def refuses(self, body):
        """Returns the response to a request that is not taken, None for others."""
        self.sizes, self.videos, self.words_in = [], [], 0
        try:
            self.check_model(body.get("model"))
            for message in body["messages"]:
                self.read(message, body)
            if self.alternates:
                check_turns(body["messages"])
            if self.most_pictures is not None and len(self.sizes) > self.most_pictures:
                raise RefusedError(self.too_many(len(self.sizes)))
            if self.context is not None and self.tokens > self.context:
                raise RefusedError(self.too_long())
        except RefusedError as error:
            return self.error(error)
        self.seen.append({"sizes": self.sizes, "videos": self.videos})
        return None

    @property
    def tokens(self):
        """Of the prompt that was read last."""
        squares = (math.ceil(w / TOKEN_PX) * math.ceil(h / TOKEN_PX) for w, h in self.sizes)
        return sum(squares) + self.words_in

    def check_model(self, name):
        if name != "double":
            line = f"The model `{name}` does not exist."
            raise RefusedError(line, 404, "NotFoundError")

    def read(self, message, body):
        content = message.get("content") or []
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            if part["type"] == "text":
                self.words_in += len(part["text"].split())
            else:
                self.read_media(message["role"], part, body)

    def read_media(self, role, part, body):
        raise NotImplementedError

    def error(self, error):
        body = {"message": str(error), "type": error.kind, "param": None, "code": error.status}
        return JSONResponse({"error": body}, error.status)


class Vllm(Double):
    """vLLM with Qwen3-VL: it takes videos, and frames with their times by `media_io_kwargs`."""

    def read_media(self, role, part, body):
        if role != "user":
            raise RefusedError(f"Unexpected item type in content of role {role}")
        if part["type"] == "image_url":
            self.sizes.append(picture(part["image_url"]["url"]).size)
        elif part["type"] == "video_url":
            given = (body.get("media_io_kwargs") or {}).get("video", {})
            self.videos.append(QwenVideo(part["video_url"]["url"], given))
        else:
            raise RefusedError(
                f"Unsupported chat content part type: {part['type']!r}. Supported types: "
                "image_url, refusal, text, video_url."
            )

    def too_many(self, count):
        return (
            f"At most {self.most_pictures} image(s) may be provided in one prompt. Set "
            "`--limit-mm-per-prompt` to increase this limit."
        )

    def too_long(self):
        return (
            f"The decoder prompt (length {self.tokens}) is longer than the maximum model length of "
            f"{self.context}. Make sure that `max_model_len` is no smaller than the number of text "
            "tokens plus multimodal tokens."
        )


class Sglang(Double):
    """SGLang: any name of a model will do, and errors are flat."""

    def check_model(self, name):
        pass

    def read_media(self, role, part, body):
        if part["type"] not in ("image_url", "video_url") or role != "user":
            line = f"Input tag {part['type']!r} found using 'type' does not match any of the tags"
            raise RefusedError(f"1 validation error for ChatCompletionRequest: {line}")
        if part["type"] == "image_url":
            self.sizes.append(picture(part["image_url"]["url"]).size)
        else:
            self.videos.append(len(frames_of(part["video_url"]["url"])))

    def too_many(self, count):
        return f"Image count {count} exceeds limit {self.most_pictures} per request."

    def too_long(self):
        return (
            f"The input ({self.tokens} tokens) is longer than the model's context length "
            f"({self.context} tokens)."
        )

    def error(self, error):
        body = {"object": "error", "message": str(error), "type": error.kind, "param": None}
        return JSONResponse({**body, "code": error.status}, error.status)


class Ollama(Double):
    """Ollama: pictures in base64 alone, of any role, and no videos."""

    HEADS = tuple(f"data:image/{kind};base64," for kind in ("jpeg", "jpg", "png", "webp"))

    def __init__(self, **limits):
        super().__init__(**limits)
        self.app.router.routes.append(Route("/api/chat", self.own_chat, methods=["POST"]))

    async def own_chat(self, request):
        """Its own protocol, in which pictures are bare base64 beside the words."""
        body = json.loads(await request.body())
        files = [file for message in body["messages"] for file in message.get("images", [])]
        sizes = [picture(f"data:;base64,{file}").size for file in files]
        self.seen.append({"sizes": sizes, "videos": []})
        message = {"role": "assistant", "content": "".join(self.words)}
        return JSONResponse({"model": body["model"], "message": message, "done": True})

    def check_model(self, name):
        if name != "double":
            raise RefusedError(f"model {name!r} not found", 404, "not_found_error")

    def read_media(self, role, part, body):
        if part["type"] != "image_url":
            raise RefusedError("invalid message format", kind="invalid_request_error")
        url = part["image_url"]
        url = url["url"] if isinstance(url, dict) else url
        if not url.startswith((*self.HEADS, "data:;base64,")):
            raise RefusedError("invalid image input", kind="invalid_request_error")
        self.sizes.append(picture(url).size)

    def too_long(self):
        over = self.tokens - self.context
        return f"prompt too long; exceeded max context length by {over} tokens"

    def error(self, error):
        body = {"message": str(error), "type": error.kind, "param": None, "code": None}
        return JSONResponse({"error": body}, error.status)


def check_turns(messages):
    """Refuses two messages of the user in a row, as templates of some models do."""
    turns = [message["role"] for message in messages if message["role"] != "system"]
    if any(a == b == "user" for a, b in pairwise(turns)):
        raise RefusedError("Conversation roles must alternate user/assistant/user/assistant/...")
