"""Splits a video into segments with text and a keyframe time, ready for a document store."""

import argparse
import json

import framesift


def main() -> None:
    """Prints one JSON line per segment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://text?seconds=20")
    uri = parser.parse_args().video

    for segment in framesift.VideoCompressor().segments(uri, count=3):
        print(json.dumps({"text": segment.caption(), **segment.metadata()}))


if __name__ == "__main__":
    main()
