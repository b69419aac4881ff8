"""Local vision LLMs for LlamaIndex that read videos in few tokens."""

from llama_index.llms.framesift.base import FramesiftMultiModalLLM

__all__ = ["FramesiftMultiModalLLM"]
