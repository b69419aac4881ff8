"""Asks several questions about a video that the vision LLM reads only once."""

import argparse

import framesift

QUESTIONS = (
    "What is the text in the corner?",
    "How many numbers flash?",
    "What is the first number that flashes?",
)


def main() -> None:
    """Prints each answer, where in the video it lies, and what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://quiz?seed=7")
    parser.add_argument("--vlm", default="tiny", help="A name, a hub id or a local folder.")
    options = parser.parse_args()

    sift = framesift.VideoCompressor(vlm=options.vlm, strategy="temporal", keep=0.25)
    with sift.open(options.video) as chat:
        for question in QUESTIONS:
            answer = chat.ask(question)
            usage = answer.usage
            print(f"{question} {answer.text}")
            for place in answer.evidence[:1]:  # None where the answer is that it is not shown.
                print(
                    f"  at {place.start_seconds:.0f} to {place.end_seconds:.0f} s, in {place.box}"
                )
            print(f"  {usage.visual_tokens_before} -> {usage.visual_tokens_after} visual tokens")


if __name__ == "__main__":
    main()
