"""What calls of tools may give, with the words in which an agent is told of it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

MOST_LETTERS: Final = 8000
"""Longest question."""

Video = Annotated[
    str,
    Field(
        min_length=1,
        description="http(s) link to a video or its page, synthetic://NAME, or the name of a file "
        "as list_videos gives it; #t=START,END at its end means that part, in seconds.",
    ),
]
Question = Annotated[
    str, Field(pattern=r"\S", max_length=MOST_LETTERS, description="About what the video shows.")
]
Sought = Annotated[
    str, Field(pattern=r"\S", max_length=MOST_LETTERS, description="What to look for.")
]
Ratio = Annotated[
    float, Field(ge=0.25, le=1.0, description="Share of the visual tokens that is kept.")
]
Images = Annotated[int, Field(ge=1, le=8, description="Most images that come back.")]
Strategy = Annotated[
    str, Field(description="Decides which tokens stay; the server's own if left out.")
]
Selecting = Annotated[
    str,
    Field(
        description="What picks frames: keyframes, uniform, or by the question: auto, or "
        "nms:scorer=text for what is said."
    ),
]
Reader = Annotated[
    str,
    Field(
        description="What reads the text: subtitles, screen for what is written in the picture, "
        "speech for what is said."
    ),
]
Readers = Reader | Annotated[tuple[Reader, ...], Field(min_length=1, max_length=8)]
MostFrames = Annotated[
    int | None,
    Field(ge=1, description="Most frames that the answer looks at; the selector picks them."),
]
Matching = Annotated[
    str, Field(max_length=200, description="Words that a name must hold; empty for all videos.")
]
After = Annotated[
    str, Field(max_length=MOST_LETTERS, description="next_after of the page before, for more.")
]
Most = Annotated[int, Field(ge=1, le=500, description="Most videos that are listed at once.")]
Language = Annotated[
    str | None,
    Field(
        pattern="^[A-Za-z][A-Za-z, -]*$",
        description="Languages of the subtitles of a page, the preferred one first, as de,en.",
    ),
]
MaxHeight = Annotated[
    int | None, Field(ge=1, le=4320, description="Most lines of a picture fetched from a page.")
]
