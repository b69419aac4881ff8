"""Lets a vision LLM look at the few frames of a video that a question needs."""

import argparse

import framesift


def main() -> None:
    """Prints which frames each selector picks and why, what that took, and the answer from them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://brief?seed=7&seconds=32")
    parser.add_argument("--question", default="What is the text in the corner?")
    parser.add_argument("--frames", type=int, default=4, help="Frames that the model looks at.")
    parser.add_argument(
        "--selector", default="auto", help="Compared with uniform; see `framesift selectors`."
    )
    parser.add_argument("--vlm", default="tiny", help="A name, a hub id or a folder.")
    options = parser.parse_args()

    vlm = framesift.load_vlm(options.vlm)
    for selector in ("uniform", options.selector):
        sift = framesift.VideoCompressor(
            vlm=vlm, selector=selector, max_frames=options.frames, keep=1.0
        )
        video = sift.compress(options.video, options.question)
        chosen = video.report.selection
        print(f"{selector}: {sift.ask(video, options.question).text}")
        if chosen is None:
            print("  all frames, as the video has no more of them")
            continue
        for seconds, reason in zip(chosen.picked_seconds, chosen.reasons, strict=True):
            print(f"  {seconds:6.1f} s  {reason}")
        print(
            f"  {chosen.seconds:.1f} s for {chosen.frames_decoded} frames decoded, "
            f"{chosen.frames_encoded} encoded and {chosen.calls} calls of a model"
        )


if __name__ == "__main__":
    main()
