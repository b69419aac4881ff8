"""Visual tokens as parts of a chat message, as vLLM's chat endpoint takes them.

With `--enable-prompt-embeds` it takes `prompt_embeds`, with `--enable-mm-embeds` `image_embeds`.
"""

from __future__ import annotations

from typing import Any, Literal

from framesift.errors import InvalidOptionError
from framesift.export.engines import base64_embeds, content_embeds, image_embeds
from framesift.types.clock import clock
from framesift.types.compressed import CompressedVideo
from framesift.vlms.base import VLM

EmbedsForm = Literal["prompt", "image"]
"""`prompt` for an engine that serves the language model alone, `image` for one that serves the
vision LLM."""


def embeds_parts(vlm: VLM, video: CompressedVideo, form: EmbedsForm) -> list[dict[str, Any]]:
    """Returns what stands in a message of the user in the place of a video.

    As `prompt` it is one part, `content_embeds`. As `image` it is a part for each picture of
    `image_embeds`, after its time as text; the patch grid of one is int64 `(3,)`.

    Args:
        vlm: whose tokens they are; the engine must serve the same checkpoint.
        video: what is shown.
        form: which kind of parts.

    Raises:
        ModelError: the model's tokens do not fit into such parts, or are another's.
    """
    if form == "prompt":
        return [{"type": "prompt_embeds", "data": base64_embeds(content_embeds(vlm, video))}]
    if form != "image":
        raise InvalidOptionError(f"form={form!r} is not allowed; take 'prompt' or 'image'")
    given = image_embeds(vlm, video)
    parts: list[dict[str, Any]] = []
    for number, (picture, seconds) in enumerate(
        zip(given.pictures, given.pts_seconds.tolist(), strict=True)
    ):
        embeds: str | dict[str, str] = base64_embeds(picture)
        if given.grid_thw is not None:
            grid = base64_embeds(given.grid_thw[number])
            embeds = {"image_embeds": base64_embeds(picture), "image_grid_thw": grid}
        parts.append({"type": "text", "text": f"[{clock(seconds)}]"})
        parts.append({"type": "image_embeds", "image_embeds": embeds})
    return parts
