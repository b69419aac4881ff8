"""Picks the frames that cover a video and makes them the content parts of a chat message."""

import argparse

import framesift


def main() -> None:
    """Prints why each keyframe was kept, and how large the message is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://cuts?seconds=12")
    uri = parser.parse_args().video

    frames = framesift.VideoCompressor().keyframes(uri, count=4)
    for frame in frames:
        print(f"{frame.pts_seconds:6.2f} s  {frame.reason}")
    parts = [{"type": "image_url", "image_url": {"url": frame.data_url()}} for frame in frames]
    size = sum(len(part["image_url"]["url"]) for part in parts)
    print(f"{len(parts)} images, {size / 1000:.0f} kB for any OpenAI-compatible endpoint")


if __name__ == "__main__":
    main()
