"""What doubles of engines see of the pictures and videos that they are sent."""

import base64
import binascii
import io
import math

import av
import numpy as np
from PIL import Image


class RefusedError(Exception):
    """What an engine does not take: a status, a line, and the kind of its error."""

    def __init__(self, line, status=400, kind="BadRequestError"):
        super().__init__(line)
        self.status, self.kind = status, kind


class QwenVideo:
    """What vLLM and Qwen3-VL make of a video of a request."""

    def __init__(self, url, given):
        if not url.startswith("data:video/jpeg;base64,"):
            self.frames, self.marks = frames_of(url), None
            return
        files = url.partition(",")[2].split(",")[: given.get("num_frames", 32)]
        sizes = {picture(f"data:image/jpeg;base64,{file}").size for file in files}
        if len(sizes) > 1:
            raise RefusedError("all input arrays must have the same shape", 500)
        self.frames = np.stack(
            [np.asarray(picture(f"data:image/jpeg;base64,{file}")) for file in files]
        )
        indices = given.get("frames_indices", list(range(len(files))))
        if len(indices) != len(files) or indices != sorted(indices):
            raise RefusedError("frames_indices do not belong to the frames")
        if indices[-1] >= given["total_num_frames"] or given["do_sample_frames"]:
            raise RefusedError("a frame lies behind the end of the video")
        if not math.isclose(given["duration"], given["total_num_frames"] / given["fps"]):
            raise RefusedError("duration, fps and total_num_frames do not fit each other")
        times = [index / given["fps"] for index in indices]
        times += times[-1:] * (len(times) % 2)
        steps = zip(times[::2], times[1::2], strict=True)
        self.marks = [f"<{(a + b) / 2:.1f} seconds>" for a, b in steps]


def picture(url):
    """Returns the picture of a data: URI; others are none that a test could fetch."""
    head, _, content = url.partition(",")
    if not head.startswith("data:"):
        raise RefusedError(f"the test cannot fetch {url}")
    try:
        image = Image.open(io.BytesIO(base64.b64decode(content, validate=True)))
        return image.convert("RGB")
    except (binascii.Error, OSError) as error:
        raise RefusedError(f"cannot identify image file: {error}") from error


def frames_of(url):
    """Returns the decoded frames of a video in a data: URI."""
    content = base64.b64decode(url.partition(",")[2].partition("#")[0])
    try:
        with av.open(io.BytesIO(content)) as file:
            return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    except av.FFmpegError as error:
        raise RefusedError(f"the video cannot be decoded: {error}") from error
