"""Puts a video before a chat model of LangChain: as keyframes, and as tokens with times."""

import argparse

from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

from framesift import FetchLimits
from langchain_framesift import ChatFramesift, VideoCompressor


def main() -> None:
    """Prints what two chains answer, and what each of them showed to the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://number?seed=3")
    parser.add_argument("--question", default="What number flashes?")
    parser.add_argument("--vlm", default="tiny", help="A name, a hub id or a local folder.")
    options = parser.parse_args()
    asked = {"video": options.video, "question": options.question}
    typed = FetchLimits(allow_files=True)  # The address is yours, so it may be a file.

    # Pictures suit every chat model, hosted ones too; put yours in the place of this one.
    chat = ChatFramesift(model=options.vlm, limits=typed)
    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("video"), ("human", "{question}")]
    )
    chain = VideoCompressor(count=4, limits=typed) | prompt | chat
    answer = chain.invoke(asked)
    print(f"from 4 keyframes: {answer.text}")

    # This model reads the video itself, so that it can say when.
    video = {"type": "video", "url": "{video}"}
    prompt = ChatPromptTemplate.from_messages(
        [("human", [video, {"type": "text", "text": "{question}"}])]
    )
    answer = (prompt | chat).invoke(asked)
    facts = answer.response_metadata
    print(f"from the video: {answer.text}")
    for place in facts["evidence"]:
        print(f"  at {place['start_seconds']:.0f} to {place['end_seconds']:.0f} s")
    print(f"  {facts['visual_tokens_before']} -> {facts['visual_tokens_after']} visual tokens")


if __name__ == "__main__":
    main()
