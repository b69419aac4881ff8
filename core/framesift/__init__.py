"""framesift keeps the visual tokens of a video that carry information, in an exact budget.

Every public name is reachable here and loaded on first use, so that importing is instant.
`strategies()`, `encoders()`, `selectors()`, `scorers()`, `readers()`, `decoders()`, `sources()` and
`vlms()` list what there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framesift._names import PublicNames
from framesift._version import __version__ as __version__

_RENAMED = {
    "handoff": "export",
    "load_compressed": "load",
    "progress": "run",
    "save_compressed": "CompressedVideo.save",
}

if TYPE_CHECKING:
    from framesift import decoders as decoders
    from framesift import encoders as encoders
    from framesift import errors as errors
    from framesift import export as export
    from framesift import readers as readers
    from framesift import scorers as scorers
    from framesift import selectors as selectors
    from framesift import sources as sources
    from framesift import strategies as strategies
    from framesift import testing as testing
    from framesift import vlms as vlms
    from framesift.answering.chat import Chat as Chat
    from framesift.answering.generation import Generation as Generation
    from framesift.answering.session import Session as Session
    from framesift.answering.stream import AnswerStream as AnswerStream
    from framesift.batching.batch import BatchResult as BatchResult
    from framesift.batching.batch import batch as batch
    from framesift.compression.compressor import VideoCompressor as VideoCompressor
    from framesift.compression.decoded import DecodedVideo as DecodedVideo
    from framesift.compression.encoding import EncodedVideo as EncodedVideo
    from framesift.errors import BudgetError as BudgetError
    from framesift.errors import ChatRequestError as ChatRequestError
    from framesift.errors import CorruptVideoError as CorruptVideoError
    from framesift.errors import DecodeError as DecodeError
    from framesift.errors import DownloadError as DownloadError
    from framesift.errors import EndpointError as EndpointError
    from framesift.errors import ForbiddenAddressError as ForbiddenAddressError
    from framesift.errors import FramesiftError as FramesiftError
    from framesift.errors import InvalidOptionError as InvalidOptionError
    from framesift.errors import InvalidTokensError as InvalidTokensError
    from framesift.errors import MissingDependencyError as MissingDependencyError
    from framesift.errors import MissingSignalError as MissingSignalError
    from framesift.errors import ModelError as ModelError
    from framesift.errors import NoVideoStreamError as NoVideoStreamError
    from framesift.errors import PlanTooLongError as PlanTooLongError
    from framesift.errors import ReplyError as ReplyError
    from framesift.errors import SelectionError as SelectionError
    from framesift.errors import SourceError as SourceError
    from framesift.errors import SpecError as SpecError
    from framesift.errors import StorageError as StorageError
    from framesift.errors import TimeLimitError as TimeLimitError
    from framesift.errors import UnknownNameError as UnknownNameError
    from framesift.errors import UnsupportedSourceError as UnsupportedSourceError
    from framesift.errors import VideoTooLargeError as VideoTooLargeError
    from framesift.export.files import save_keyframe as save_keyframe
    from framesift.export.keyframe_folder import KeyframeShelf as KeyframeShelf
    from framesift.export.keyframe_folder import Shelved as Shelved
    from framesift.fetching.limits import FetchLimits as FetchLimits
    from framesift.fetching.site_options import SiteOptions as SiteOptions
    from framesift.run import Progress as Progress
    from framesift.run import on_progress as on_progress
    from framesift.run import time_limit as time_limit
    from framesift.serving.assistant import Assistant as Assistant
    from framesift.serving.message import Message as Message
    from framesift.sources.base import open_video as open_video
    from framesift.sources.listing import list_videos as list_videos
    from framesift.strategies.base import create_strategy as create_strategy
    from framesift.strategies.streaming import StreamingCompressor as StreamingCompressor
    from framesift.types.answer import Answer as Answer
    from framesift.types.answer import EvidenceKind as EvidenceKind
    from framesift.types.answer import Segment as Segment
    from framesift.types.answer import Usage as Usage
    from framesift.types.budget import Budget as Budget
    from framesift.types.compressed import CompressedVideo as CompressedVideo
    from framesift.types.compressed import CompressionReport as CompressionReport
    from framesift.types.compressed import Keyframe as Keyframe
    from framesift.types.compressed_files import load as load
    from framesift.types.frames import Frames as Frames
    from framesift.types.moment import Moment as Moment
    from framesift.types.plan import TokenPlan as TokenPlan
    from framesift.types.segments import SegmentTokens as SegmentTokens
    from framesift.types.selection import SelectionReport as SelectionReport
    from framesift.types.streamed import StreamedSegment as StreamedSegment
    from framesift.types.streamed import StreamedTokens as StreamedTokens
    from framesift.types.tokens import Signals as Signals
    from framesift.types.tokens import VideoTokens as VideoTokens
    from framesift.types.transcript import Transcript as Transcript
    from framesift.types.video import LocalVideo as LocalVideo
    from framesift.types.video import TimedText as TimedText
    from framesift.types.video_list import ListedVideo as ListedVideo
    from framesift.types.video_list import VideoList as VideoList
    from framesift.vlms.load import load_vlm as load_vlm
    from framesift.vlms.prompt import Prompt as Prompt
    from framesift.vlms.prompt import Turn as Turn

PublicNames(globals(), renamed=_RENAMED)
