"""Videos and pictures in agents: each model is shown what it takes, and the history stays small."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    MessageLikeRepresentation,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, run_in_executor
from pydantic import Field, InstanceOf

from framesift.errors import FramesiftError, MissingDependencyError
from framesift.serving import HomePath, OptionFields, error_line, keep_videos, kept_videos
from langchain_framesift._model_view import (
    EVERYTHING,
    UNREAD,
    Reads,
    pictures_in,
    shown_by_user,
    with_newest,
)
from langchain_framesift._pictures import PictureStore, put_aside, tokens_of
from langchain_framesift.chat_models import ChatFramesift
from langchain_framesift.video_blocks import CompressVideoBlocks

try:
    from langchain.agents.middleware import (
        AgentMiddleware,
        AgentState,
        ModelRequest,
        ModelResponse,
        ToolCallRequest,
    )
    from langgraph.runtime import Runtime
    from langgraph.types import Command
except ImportError as error:
    raise MissingDependencyError(
        "VideoMiddleware needs langchain; run: pip install 'langchain-framesift[agents]'"
    ) from error

VIDEOS: Final = "framesift_videos"
"""Key in the `response_metadata` of a user's message: what brings its videos back."""
Where = Literal["auto", "tool", "user"]
Result = TypeVar("Result")


class _Options(OptionFields):
    most_pictures: int = Field(ge=0, strict=True)
    pictures_in: Where
    media_folder: HomePath | None
    compress: InstanceOf[CompressVideoBlocks]


class VideoMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Shows the models of an agent videos and pictures as they take them, and keeps both small.

    For each call of a model, video blocks become keyframes (`compress`), and the newest pictures of
    tools are shown, by the user where the provider takes none from tools. The state of the agent
    holds the addresses of videos and the names of pictures only, so checkpoints stay small. Tools,
    structured output and streams are as without it. The answer's `response_metadata` says how many
    `pictures` it was shown, about how many `visual_tokens` these are, and holds `warnings`.

    A video that cannot be read does not end the run: the model is told why. `ChatFramesift` is
    handed the videos as they are. Put it last where other middleware chooses another model.

    ```python
    agent = create_agent(
        model, VideoToolkit(model="tiny").get_tools(), middleware=[VideoMiddleware()]
    )
    ```
    """

    def __init__(
        self,
        *,
        compress: CompressVideoBlocks | None = None,
        most_pictures: int = 16,
        pictures_in: Where = "auto",
        media_folder: str | Path | None = None,
    ) -> None:
        """Takes the settings.

        Args:
            compress: what stands in for videos; None for its defaults.
            most_pictures: of tools and videos in one call of a model, the newest; older ones are
                named in words. The user's own pictures are not counted.
            pictures_in: who shows the pictures of tools: the `"tool"` in its result, or the
                `"user"` after it; `"auto"` goes by the class and the profile of the model.
            media_folder: where pictures of tools lie, and videos that a user sends in base64,
                equal ones once, so that an agent in another process shows them too. None for the
                last 64 MB of pictures in memory; videos in base64 stay in the state then.

        Raises:
            InvalidOptionError: a value is not allowed.
        """
        super().__init__()
        self._options = _Options(
            compress=CompressVideoBlocks() if compress is None else compress,
            most_pictures=most_pictures,
            pictures_in=pictures_in,
            media_folder=media_folder,
        )
        self._store = PictureStore(self._options.media_folder)

    def count_tokens(self, messages: Iterable[MessageLikeRepresentation]) -> int:
        """Returns about how many tokens a model reads of messages, videos compressed.

        Other middleware takes it as a `token_counter`, to which a video in base64 would else be a
        long text.
        """
        view = self._view(convert_to_messages(list(messages)), EVERYTHING)
        words = count_tokens_approximately(view, tokens_per_image=0)
        return words + sum(map(tokens_of, pictures_in(view)))

    def before_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Takes pictures of tools, and what a user has sent as bytes, out of the state."""
        smaller = [(self._smaller(message), message) for message in state["messages"]]
        changed = [new for new, old in smaller if new is not old]
        return {"messages": changed} if changed else None

    async def abefore_agent(
        self, state: AgentState[Any], runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """Does what `before_agent` does."""
        return await run_in_executor(None, self.before_agent, state, runtime)

    def wrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]],
    ) -> ToolMessage | Command[Any]:
        """Puts the pictures of a result aside before it becomes part of the state."""
        return self._aside(handler(request))

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """Does what `wrap_tool_call` does."""
        return self._aside(await handler(request))

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ModelResponse[Any]:
        """Shows the model the history as it takes it."""
        view = self._view(request.messages, Reads.of(request.model))
        try:
            response = handler(request.override(messages=view))
        except FramesiftError as error:
            view = _readable(view, request.model, error)
            response = handler(request.override(messages=view))
        return _noted(response, view)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Does what `wrap_model_call` does; videos are read in a thread of their own."""
        reads = Reads.of(request.model)
        view = await run_in_executor(None, self._view, request.messages, reads)
        try:
            response = await handler(request.override(messages=view))
        except FramesiftError as error:
            view = await run_in_executor(None, _readable, view, request.model, error)
            response = await handler(request.override(messages=view))
        return _noted(response, view)

    def _smaller(self, message: BaseMessage) -> BaseMessage:
        """Returns a message of a state without bytes; the same one where it has none."""
        folder = self._options.media_folder
        if folder is None or not isinstance(message, HumanMessage):
            return self._aside(message)
        content, kept = keep_videos(message.content, folder)
        new = {"content": content, "response_metadata": message.response_metadata | {VIDEOS: kept}}
        return message.model_copy(update=new) if kept else message

    def _aside(self, result: Result) -> Result:
        """Returns what a tool gave, with its pictures beside the state."""
        if isinstance(result, ToolMessage):
            return cast("Result", put_aside(result, self._store))
        given: Any = result.update if isinstance(result, Command) else None
        messages = given.get("messages") if isinstance(given, dict) else None
        if isinstance(result, Command) and isinstance(messages, list):
            return replace(result, update={**given, "messages": [*map(self._aside, messages)]})
        return result

    def _view(self, history: Sequence[BaseMessage], reads: Reads) -> list[AnyMessage]:
        """Returns what a model is shown of a history."""
        folder = self._options.media_folder
        if folder is not None:
            history = [_with_videos(message, folder) for message in history]
        view = list(history)
        if not reads.videos:
            config = ensure_config()
            told = config if config.get("callbacks") else None
            view = [self._compressed(message, told) for message in view]
        view = with_newest(
            view,
            history,
            self._store,
            most=self._options.most_pictures if reads.pictures else 0,
            instead=None if reads.pictures else UNREAD,
        )
        where = self._options.pictures_in
        in_tools = reads.in_tools if where == "auto" else where == "tool"
        return cast("list[AnyMessage]", view if in_tools else shown_by_user(view))

    def _compressed(self, message: BaseMessage, config: RunnableConfig | None) -> BaseMessage:
        """Returns a message with keyframes for its videos, or why there are none."""
        rewrite = self._options.compress.rewrite
        try:
            return rewrite([message], config)[0]
        except FramesiftError:
            return rewrite([_told(message, lambda each: rewrite(each, config))], config)[0]


def _told(message: BaseMessage, read: Callable[[list[BaseMessage]], Any]) -> BaseMessage:
    """Returns a message with the reason in the place of each block that `read` refuses."""
    content = list(message.content)
    for place, block in enumerate(content):
        try:
            read([message.model_copy(update={"content": [block]})])
        except FramesiftError as error:
            reason = f"[a video that cannot be shown: {error_line(error)}]"
            content[place] = {"type": "text", "text": reason}
    return message.model_copy(update={"content": content})


def _readable(
    view: Sequence[AnyMessage], model: BaseChatModel, error: FramesiftError
) -> list[AnyMessage]:
    """Returns what `ChatFramesift` was shown without the videos that it cannot read.

    Raises:
        FramesiftError: none of these is the reason for `error`.
    """
    if not isinstance(model, ChatFramesift):
        raise error
    told = [
        _told(each, model.get_num_tokens_from_messages)
        if isinstance(each, HumanMessage) and not isinstance(each.content, str)
        else each
        for each in view
    ]
    if all(new.content == old.content for new, old in zip(told, view, strict=True)):
        raise error
    return cast("list[AnyMessage]", told)


def _with_videos(message: BaseMessage, folder: Path) -> BaseMessage:
    kept = message.response_metadata.get(VIDEOS)
    if kept is None or isinstance(message.content, str):
        return message
    return message.model_copy(update={"content": kept_videos(message.content, kept, folder)})


def _noted(response: ModelResponse[Any], view: Sequence[BaseMessage]) -> ModelResponse[Any]:
    """Returns the answer of a model with what it was shown, and what was wrong with it."""
    pictures = pictures_in(view)
    asked = [message for message in view if isinstance(message, HumanMessage)]
    warnings = [line for each in asked for line in each.response_metadata.get("warnings", [])]
    noted: dict[str, Any] = {"warnings": list(dict.fromkeys(warnings))} if warnings else {}
    if pictures:
        noted |= {"pictures": len(pictures), "visual_tokens": sum(map(tokens_of, pictures))}
    result = [
        message.model_copy(update={"response_metadata": {**message.response_metadata, **noted}})
        if isinstance(message, AIMessage)
        else message
        for message in response.result
    ]
    return replace(response, result=result)
