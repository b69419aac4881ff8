"""Shows a video as segments: one frame of each in detail, and few tokens for what happens in it."""

import argparse

import framesift


def main() -> None:
    """Prints what the tokens of each segment stand for, and the answer from fewer and fewer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://quiz?seed=7&seconds=16")
    parser.add_argument("--question", default="How many numbers flash?")
    parser.add_argument("--strategy", default="slow-fast", help="Such as 'slow-fast:segment=2'.")
    parser.add_argument("--vlm", default="tiny", help="A name, a hub id or a folder.")
    options = parser.parse_args()

    vlm = framesift.load_vlm(options.vlm)
    for keep in (0.5, 0.25, 0.125):
        sift = framesift.VideoCompressor(vlm=vlm, strategy=options.strategy, keep=keep)
        video = sift.compress(options.video)
        answer = sift.ask(video, options.question)
        usage, place = answer.usage, answer.evidence[0]
        print(f"{usage.visual_tokens_before} -> {usage.visual_tokens_after} tokens: {answer.text}")
        print(f"  rests on {place.start_seconds:.0f} to {place.end_seconds:.0f} s")
        for part in video.report.segments or []:
            span = f"{part.start_seconds:4.0f} to {part.end_seconds:3.0f} s"
            print(
                f"  {span}: {part.key_tokens} tokens of the frame at {part.key_seconds:.0f} s, "
                f"{part.temporal_tokens} of all {part.frames} frames"
            )


if __name__ == "__main__":
    main()
