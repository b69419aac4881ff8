"""Groups of commands whose help shows whole summaries, those of one purpose under one heading."""

from __future__ import annotations

from typing import Final

import click

SECTIONS: Final = {
    "A video": (*("ask", "find", "compress", "keyframes", "segments", "text", "report", "videos"),),
    "Many videos": ("batch",),
    "Servers and pages": ("serve", "gateway", "play"),
    "What there is to choose": (
        *("strategies", "selectors", "scorers", "readers", "encoders", "vlms"),
    ),
    "Measuring and training, for developers": ("bench", "label", "train"),
}
"""The commands by what they are for, in the order of the help; any other stands at the end."""
EXIT_CODES: Final = {
    0: "done",
    1: "a fault of framesift itself, with its traceback",
    2: "bad input, in one line on stderr",
    3: "done, but some videos of a batch failed",
    130: "interrupted",
    143: "told to end by SIGTERM",
}


class WholeSummaries(click.Group):
    """A group whose help cuts no summary off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands with the first sentence of their help."""
        self.write_section(formatter, "Commands", self.list_commands(ctx))

    def write_section(
        self, formatter: click.HelpFormatter, heading: str, names: list[str] | tuple[str, ...]
    ) -> None:
        """Writes those of the named commands that there are, under a heading."""
        rows = [
            (name, self.commands[name].get_short_help_str(limit=1000))
            for name in names
            if name in self.commands
        ]
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


class Framesift(WholeSummaries):
    """The commands of framesift by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands by their sections."""
        for heading, names in SECTIONS.items():
            self.write_section(formatter, heading, names)
        placed = {name for names in SECTIONS.values() for name in names}
        others = [name for name in self.list_commands(ctx) if name not in placed]
        self.write_section(formatter, "Other commands", others)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes what exit codes mean."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])
