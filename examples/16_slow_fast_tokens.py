"""Shows a video as segments: one frame of each in detail, and few tokens for what happens in it."""

import argparse

import framesift


def main() -> None:
    """Prints an answer from as many tokens by each strategy, and what those of segments show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://quiz?seed=7&seconds=16")
    parser.add_argument("--question", default="What is the first number that flashes?")
    parser.add_argument("--keep", type=float, default=0.125, help="Share of the tokens.")
    parser.add_argument("--vlm", default="tiny", help="A name, a hub id or a folder.")
    parser.add_argument(
        "--strategy",
        default="slow-fast:filling=tiny",
        help="'slow-fast' needs no network; one of your own: 'slow-fast:filling=FOLDER'.",
    )
    options = parser.parse_args()

    vlm = framesift.load_vlm(options.vlm)
    for strategy in ("uniform", options.strategy):
        sift = framesift.VideoCompressor(vlm=vlm, strategy=strategy, keep=options.keep)
        video = sift.compress(options.video)
        answer = sift.ask(video, options.question)
        usage = answer.usage
        print(f"{strategy}: {answer.text}")
        print(f"  from {usage.visual_tokens_after} of {usage.visual_tokens_before} tokens")
        for place in answer.evidence[:1]:  # None where the answer is that it is not shown.
            print(f"  rests on {place.start_seconds:.0f} to {place.end_seconds:.0f} s")
        for part in video.report.segments or []:
            span = f"{part.start_seconds:.0f} to {part.end_seconds:.0f} s"
            print(
                f"  {span}: {part.key_tokens} tokens show the frame at {part.key_seconds:.0f} s, "
                f"{part.temporal_tokens} what happens in {part.frames} frames"
            )


if __name__ == "__main__":
    main()
