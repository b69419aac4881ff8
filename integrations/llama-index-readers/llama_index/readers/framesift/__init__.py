"""Videos for LlamaIndex: timed segments, each with the keyframe that stands for it."""

from llama_index.readers.framesift.base import VIDEO_SUFFIXES, FramesiftVideoReader
from llama_index.readers.framesift.batch import FramesiftBatchReader
from llama_index.readers.framesift.postprocessor import FramesiftFramePostprocessor
from llama_index.readers.framesift.transform import FramesiftVideoSplitter

__all__ = [
    "VIDEO_SUFFIXES",
    "FramesiftBatchReader",
    "FramesiftFramePostprocessor",
    "FramesiftVideoReader",
    "FramesiftVideoSplitter",
]
