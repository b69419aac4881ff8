"""Video for LangChain: compressed, shown to any chat model, asked about, searched and indexed."""

from langchain_framesift.chat_models import ChatFramesift
from langchain_framesift.compressor import VideoCompressor
from langchain_framesift.loader import VideoLoader
from langchain_framesift.tools import (
    AskVideoTool,
    CompressVideoTool,
    FindInVideoTool,
    ReadVideoTextTool,
    VideoToolkit,
)
from langchain_framesift.video_blocks import CompressVideoBlocks
from langchain_framesift.video_prompt import VideoPrompt

__all__ = [
    "AskVideoTool",
    "ChatFramesift",
    "CompressVideoBlocks",
    "CompressVideoTool",
    "FindInVideoTool",
    "ReadVideoTextTool",
    "VideoCompressor",
    "VideoLoader",
    "VideoPrompt",
    "VideoToolkit",
]
