"""Frames as vLLM takes those of one video: JPEG files in a row, and where in the video they stood.

Qwen3-VL writes the time of each step before its tokens, from these fields (vLLM, pull request
40133). They hold for every video of a request, so there is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

TICKS: Final = 1000
"""Numbers of frames per second: the times of frames are on no regular grid."""


def jpeg_video(
    pictures: Sequence[str],
    times_seconds: Sequence[float],
    duration_seconds: float,
    *,
    joined: int = 2,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the content part of a video, and what stands under `video` in `media_io_kwargs`.

    Args:
        pictures: its frames in time order, each a data: URI of a JPEG file of one size.
        times_seconds: of each.
        duration_seconds: of the whole video.
        joined: frames that the model joins to one step, 2 of Qwen. Each is sent as often, so that a
            step shows one moment and has its time, not the mean of two.
    """
    files = [url.partition(",")[2] for url in pictures for _ in range(joined)]
    url = f"data:video/jpeg;base64,{','.join(files)}"
    indices = [round(t * TICKS) for t in times_seconds for _ in range(joined)]
    total = max(indices[-1] + 1, math.ceil(duration_seconds * TICKS))
    fields = {
        "fps": float(TICKS),
        "frames_indices": indices,
        "total_num_frames": total,
        "duration": total / TICKS,
        "do_sample_frames": False,
        "num_frames": len(indices),  # of more than 32 the engine would take the first ones alone
    }
    return {"type": "video_url", "video_url": {"url": url}}, fields
