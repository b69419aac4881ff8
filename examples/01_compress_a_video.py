"""Keeps a quarter of the visual tokens of a video and shows where they are in time."""

import argparse

import framesift


def main() -> None:
    """Compresses one video and prints the tokens kept in each second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://mixed?seconds=12")
    uri = parser.parse_args().video

    sift = framesift.VideoCompressor(strategy="temporal", keep=0.25)
    video = sift.compress(uri)
    print(video)
    for seconds, kept in zip(video.frame_seconds, video.report.tokens_per_frame_kept, strict=True):
        print(f"{seconds:6.1f} s  {'#' * (kept // 4)} {kept}")


if __name__ == "__main__":
    main()
