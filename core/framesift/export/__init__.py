"""Results that leave the process: files, what serving engines take, keyframes kept on disk.

The public names are what serving engines and chat endpoints take, and transcripts as files; they
are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framesift._names import PublicNames

if TYPE_CHECKING:
    from framesift.export import engines as engines
    from framesift.export.chat_parts import EmbedsForm as EmbedsForm
    from framesift.export.chat_parts import embeds_parts as embeds_parts
    from framesift.export.engines import GRIDS as GRIDS
    from framesift.export.engines import LISTS as LISTS
    from framesift.export.engines import ImageEmbeds as ImageEmbeds
    from framesift.export.engines import base64_embeds as base64_embeds
    from framesift.export.engines import content_embeds as content_embeds
    from framesift.export.engines import image_embeds as image_embeds
    from framesift.export.engines import openai_content as openai_content
    from framesift.export.engines import prompt_embeds as prompt_embeds
    from framesift.export.engines import token_file as token_file
    from framesift.export.jpeg_video import jpeg_video as jpeg_video
    from framesift.export.patch_canvases import SparsePatches as SparsePatches
    from framesift.export.patch_canvases import sparse_patches as sparse_patches
    from framesift.export.transcripts import TranscriptFormat as TranscriptFormat
    from framesift.export.transcripts import save_transcript as save_transcript
    from framesift.export.transcripts import transcript_text as transcript_text

PublicNames(globals())
