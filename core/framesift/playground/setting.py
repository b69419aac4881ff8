"""What a person at the page has set, and the same call as text to copy."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from typing import Final, Self

import framesift
from framesift.vlms.base import VLM

LEAST_KEEP: Final = 0.25
"""Below this share the server has to be told that it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How one video is shortened."""

    strategy: str
    keep: float
    fps: float
    count: int
    """Number of keyframes."""
    question: str | None = None
    """What the tokens are chosen for, where the strategy reads it."""
    max_frames: int | None = None
    """Frames encoded at most, where whoever serves the page bounds them."""

    def for_question(self, question: str | None, vlm: VLM) -> Self:
        """Returns it with a question; without, where all questions have the same tokens.

        Raises:
            FramesiftError: an option is wrong, such as the name of the strategy.
        """
        return replace(self, question=question if self.sift(vlm).reads_question else None)

    def sift(self, vlm: str | VLM) -> framesift.VideoCompressor:
        """Returns the compressor that does this with the tower of `vlm`.

        Raises:
            FramesiftError: an option is wrong, such as the name of the strategy.
        """
        return framesift.VideoCompressor(
            strategy=self.strategy,
            keep=self.keep,
            fps=self.fps,
            max_frames=self.max_frames,
            vlm=vlm,
        )

    def as_python(self, address: str, vlm: str, asked: str | None = None) -> str:
        """Returns the program that does the same.

        Args:
            address: a link, or the name of a file where the program runs.
            vlm: the name of the model whose tower makes the tokens.
            asked: the question that the model answers, if any.
        """
        most = "" if self.max_frames is None else f"max_frames={self.max_frames}, "
        options = f"strategy={self.strategy!r}, keep={self.keep}, fps={self.fps}, {most}vlm={vlm!r}"
        chosen_for = "" if self.question is None else f", {self.question!r}"
        lines = [
            "import framesift",
            "",
            f"sift = framesift.VideoCompressor({options})",
            f"video = sift.compress({address!r}{chosen_for})",
            'print(f"{video.report.tokens_in} -> {video.report.tokens_out} tokens")',
            f"for frame in sift.keyframes({address!r}, {self.count}):",
            '    print(f"{frame.pts_seconds:.2f} s  {frame.reason}")',
        ]
        if asked is not None:
            lines.append(f"print(sift.ask(video, {asked!r}).text)")
        return "\n".join(lines)

    def as_command(self, address: str, vlm: str, asked: str | None = None) -> str:
        """Returns the lines of a shell that do the same; the arguments are as in `as_python`."""
        tokens = ["--strategy", self.strategy, "--keep", str(self.keep), "--fps", str(self.fps)]
        if self.max_frames is not None:
            tokens += ["--max-frames", str(self.max_frames)]
        model = ["--vlm", vlm]
        chosen_for = [] if self.question is None else ["--question", self.question]
        rate = ["--fps", str(self.fps)]
        lines = [
            ["framesift", "compress", address, *chosen_for, *tokens, *model],
            ["framesift", "keyframes", address, "--count", str(self.count), *rate],
        ]
        if asked is not None:
            lines.append(["framesift", "ask", address, asked, *tokens, *model])
        return "\n".join(map(shlex.join, lines))

    def as_curl(self, address: str, asked: str | None = None, *, uploaded: bool) -> str:
        """Returns the lines of a shell that ask `framesift serve` on port 8080 for the same.

        Args:
            address: a link, or the name of a file that is sent to the server first.
            asked: the question that the model answers, if any.
            uploaded: whether it is such a name.
        """
        body = {
            "compression_ratio": self.keep,
            "strategy": self.strategy,
            "fps": self.fps,
        }
        chosen_for = {} if self.question is None else {"question": self.question}
        outputs = {"outputs": ["keyframes"], "count": self.count}
        flags = "" if uploaded or "synthetic://" not in address else " --allow-synthetic"
        if self.keep < LEAST_KEEP:
            flags += f" --min-compression-ratio {self.keep}"
        lines = [f"# for: framesift serve{flags}"]
        if uploaded:
            # In quotes, since curl ends a bare name at a semicolon or a comma.
            name = address.replace("\\", r"\\").replace('"', r"\"")
            sent = shlex.quote(f'file=@"{name}"')
            read = "'import json, sys; print(json.load(sys.stdin)[\"video\"])'"
            lines.append(f"VIDEO=$(curl -s {_SERVER}/v1/uploads -F {sent} | python3 -c {read})")
        else:
            lines.append(f"VIDEO={shlex.quote(address)}")
        lines.append(_posted("compress", {**body, **chosen_for, **outputs}))
        if asked is not None:
            lines.append(_posted("ask", {**body, "question": asked}))
        return "\n".join(lines)


_SERVER: Final = "http://127.0.0.1:8080"


def _posted(route: str, body: dict[str, object]) -> str:
    """Returns the line that posts a body about the video that the variable `VIDEO` names."""
    rest = shlex.quote(json.dumps(body)[1:])
    kind = "-H 'Content-Type: application/json'"
    return f'curl -s {_SERVER}/v1/{route} {kind} -d \'{{"video": "\'"$VIDEO"\'", \'{rest}'
