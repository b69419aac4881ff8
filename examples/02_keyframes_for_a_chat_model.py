"""Picks the frames that cover a video and makes them the content parts of a chat message."""

import argparse
import json

import framesift
from framesift.export.engines import openai_content


def main() -> None:
    """Prints why each keyframe was kept, and how large the message is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://cuts?seconds=12")
    uri = parser.parse_args().video

    frames = framesift.VideoCompressor().keyframes(uri, count=4)
    for frame in frames:
        print(f"{frame.pts_seconds:6.2f} s  {frame.reason}")
    content = openai_content(frames, "What places does the video show?", max_side_px=512)
    message = {"role": "user", "content": content}
    print(f"{len(frames)} images, {len(json.dumps(message)) / 1000:.0f} kB for any endpoint")


if __name__ == "__main__":
    main()
