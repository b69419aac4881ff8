"""Frames as vLLM takes those of one video: JPEG files in a row, and where in the video they stood.

Qwen3-VL writes the time of each step before its tokens, from these fields (vLLM, pull request
40133). They hold for every video of a request, so there is one.
"""

from __future__ import annotations

import math
from typing import Any, Final

from framesift_server.gateway.frames import Picked

TICKS: Final = 1000
"""Numbers of frames per second: the times of frames are on no regular grid."""


def video_content(picked: Picked, joined: int) -> list[dict[str, Any]]:
    """Returns what stands in a message in the place of the video.

    Args:
        picked: its frames.
        joined: frames that the model joins to one step. Each is sent as often, so that a step
            shows one moment and has its time, not the mean of two.
    """
    files = [url.partition(",")[2] for url in picked.pictures for _ in range(joined)]
    url = f"data:video/jpeg;base64,{','.join(files)}"
    return [{"type": "video_url", "video_url": {"url": url}}]


def media_io_kwargs(given: Any, picked: Picked, joined: int) -> dict[str, Any]:
    """Returns the field of that name.

    Args:
        given: what the request has in it; what it says of videos was meant for the whole one.
        picked: the frames of the video.
        joined: how often each is sent.
    """
    indices = [round(t * TICKS) for t in picked.times_seconds for _ in range(joined)]
    total = max(indices[-1] + 1, math.ceil(picked.duration_seconds * TICKS))
    video = {
        "fps": float(TICKS),
        "frames_indices": indices,
        "total_num_frames": total,
        "duration": total / TICKS,
        "do_sample_frames": False,
        "num_frames": len(indices),  # of more than 32 the engine would take the first ones alone
    }
    return {**(given if isinstance(given, dict) else {}), "video": video}
