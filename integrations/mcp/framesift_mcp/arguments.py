"""What calls of tools may give, with the words in which an agent is told of it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

WORDS: Final = r"\S"
"""A question must hold something."""

Video = Annotated[
    str,
    Field(
        min_length=1,
        description="http(s) link to a video or its page, synthetic://NAME, or a file in a folder "
        "that the server was started with; #t=START,END at its end means that part, in seconds.",
    ),
]
Ratio = Annotated[
    float, Field(ge=0.25, le=1.0, description="Share of the visual tokens that is kept.")
]
Images = Annotated[int, Field(ge=1, le=8, description="Most images that come back.")]
Selecting = Annotated[
    str,
    Field(
        description="What picks frames: keyframes, uniform, or by the question: auto, or "
        "nms:scorer=text for what is said."
    ),
]
Readers = Annotated[
    str | tuple[str, ...],
    Field(
        description="What reads the text, one or several: subtitles, screen for what is written in "
        "the picture, speech for what is said."
    ),
]
MostFrames = Annotated[
    int | None,
    Field(ge=1, description="Most frames that the answer looks at; the selector picks them."),
]
