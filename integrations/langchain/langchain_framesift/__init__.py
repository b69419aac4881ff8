"""Video for LangChain: compressed, shown to any chat model, asked about, searched and indexed."""

from typing import TYPE_CHECKING, Any

from langchain_framesift._documents import image_blocks
from langchain_framesift.chat_models import ChatFramesift
from langchain_framesift.compressor import VideoCompressor
from langchain_framesift.loader import VideoLoader
from langchain_framesift.retriever import VideoRetriever
from langchain_framesift.tools import (
    AskVideoTool,
    CompressVideoTool,
    FindInVideoTool,
    ReadVideoTextTool,
    VideoToolkit,
)
from langchain_framesift.video_blocks import CompressVideoBlocks
from langchain_framesift.video_prompt import VideoPrompt

if TYPE_CHECKING:
    from langchain_framesift.middleware import VideoMiddleware

__all__ = [
    "AskVideoTool",
    "ChatFramesift",
    "CompressVideoBlocks",
    "CompressVideoTool",
    "FindInVideoTool",
    "ReadVideoTextTool",
    "VideoCompressor",
    "VideoLoader",
    "VideoMiddleware",
    "VideoPrompt",
    "VideoRetriever",
    "VideoToolkit",
    "image_blocks",
]


def __getattr__(name: str) -> Any:
    """Returns the middleware, which needs langchain, when it is first used."""
    if name == "VideoMiddleware":
        from langchain_framesift.middleware import VideoMiddleware

        return VideoMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
