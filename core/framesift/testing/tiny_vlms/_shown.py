"""What a family's own processor makes of pictures and videos in one turn."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from framesift.testing.tiny_vlms._base import metadata
from framesift.types.frames import Frames

Shown = Frames | npt.NDArray[np.uint8]
"""A video, or the RGB pixels `(H, W, 3)` of a picture."""
UNUSED = ("rows", "cols", "num_patches", "video_metadata")
"""What processors give that no model takes."""


def own_inputs(
    processor: Callable[[Path], Any], folder: Path, shown: Sequence[Shown], text: str
) -> dict[str, Any]:
    """Returns the inputs of a turn that shows some videos and pictures and asks a text.

    Args:
        processor: makes the family's own processor of the files in a folder.
        folder: that of the model.
        shown: what stands before the text, in order.
        text: of the user.
    """
    own = processor(folder)
    # Of an array of one pixel a processor could not tell which axis holds the colours.
    images = [Image.fromarray(each) for each in shown if not isinstance(each, Frames)]
    videos = [each for each in shown if isinstance(each, Frames)]
    kinds = ["video" if isinstance(each, Frames) else "image" for each in shown]
    content = [*({"type": kind} for kind in kinds), {"type": "text", "text": text}]
    prompt = own.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    given: dict[str, Any] = {}
    if images:
        given["images"] = [images]
    if videos:
        given |= {
            "videos": [each.data for each in videos],
            "video_metadata": [metadata(len(each)) for each in videos],
            "do_sample_frames": False,
        }
    with warnings.catch_warnings():
        # Some make NumPy arrays of tensors in a way that NumPy is going to give up.
        warnings.simplefilter("ignore", DeprecationWarning)
        # A template may begin with what the tokenizer puts before every text.
        bos = own.tokenizer.bos_token or ""
        again = not (bos and prompt.startswith(bos))
        made = own(text=[prompt], return_tensors="pt", add_special_tokens=again, **given)
    # Positions over several axes, and masks, follow from the types of columns; other models take
    # none.
    typed = any("grid" in name or "position" in name for name in made)
    unused = {*UNUSED, *(() if typed else ("mm_token_type_ids",))}
    return {name: value for name, value in made.items() if name not in unused}
