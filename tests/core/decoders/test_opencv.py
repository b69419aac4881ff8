import os
import subprocess
import sys

import av
import numpy as np
import pytest

from framesift.decoders.opencv import OpencvDecoder
from framesift.errors import CorruptVideoError, DecodeError


def two_streams(path, default: int):
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for number, stream in enumerate(streams):
            stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
            chosen = av.stream.Disposition.default.value if number == default else 0
            stream.disposition = chosen
        for number, stream in enumerate(streams):
            gray = np.full((32, 32, 3), 50 + 150 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="rgb24")))
            container.mux(stream.encode())
    return path


def test_a_main_stream_that_opencv_cannot_reach_is_refused(tmp_path):
    path = two_streams(tmp_path / "two.mkv", default=1)
    with pytest.raises(DecodeError, match="use the decoder 'pyav'"):
        list(OpencvDecoder().decode(path, [0]))


def test_the_first_of_two_streams_is_decoded(tmp_path):
    path = two_streams(tmp_path / "two.mkv", default=0)
    (frames,) = OpencvDecoder().decode(path, [0])
    assert abs(int(frames.data.mean()) - 50) < 4


def test_a_codec_that_opencv_lacks_is_an_error_and_not_an_empty_video(tmp_path, write_video):
    path = write_video(tmp_path / "new.mp4", 2, codec="libsvtav1", codec_options={"preset": "12"})
    with pytest.raises(CorruptVideoError, match="another decoder"):
        list(OpencvDecoder().decode(path, [0]))


def test_importing_leaves_the_environment_alone():
    code = "import os, framesift.decoders.opencv; print('OPENCV_FFMPEG_LOGLEVEL' in os.environ)"
    environment = {k: v for k, v in os.environ.items() if k != "OPENCV_FFMPEG_LOGLEVEL"}

    shown = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert shown.strip() == "False"
