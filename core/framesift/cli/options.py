"""The options that commands share, and how they make a `VideoCompressor`."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click
from click.core import ParameterSource

import framesift
from framesift.cli import saved
from framesift.cli.fetching import FETCH_OPTIONS, fetching
from framesift.cli.parameters import Command, Option, names_of, number, with_options
from framesift.cli.parameters import GivenPath as GivenPath
from framesift.types.answer import EvidenceKind
from framesift.types.budget import Keep
from framesift.types.options import Count, Levels, NotNegative, ResizedBy, Share, Still

if TYPE_CHECKING:
    from framesift.strategies.base import Strategy

_FRAME_OPTIONS: list[Option] = [
    click.option(
        "--selector",
        default="keyframes",
        shell_complete=names_of("selectors"),
        help="What picks frames: see `framesift selectors`; 'auto' reads the question.",
    ),
    click.option(
        "--text",
        multiple=True,
        metavar="READER",
        default=("subtitles",),
        shell_complete=names_of("readers"),
        help="What reads the text of the video: see `framesift readers`; may be repeated.",
    ),
    click.option(
        "--text-folder",
        type=GivenPath(path_type=Path, file_okay=False),
        help="Folder that keeps what was read, so that work that was cut off goes on.",
    ),
    click.option(
        "--decoder",
        default="pyav",
        shell_complete=names_of("decoders"),
        help="What reads the file.",
    ),
    click.option("--fps", type=float, default=1.0, help="Frames sampled per second of video."),
    *FETCH_OPTIONS,
]
_STRATEGY: Option = click.option(
    *("-s", "--strategy"),
    default="temporal",
    shell_complete=names_of("strategies"),
    help="See `framesift strategies`.",
)
_STRATEGIES: Option = click.option(
    *("-s", "--strategy"),
    multiple=True,
    default=("temporal",),
    shell_complete=names_of("strategies"),
    help="See `framesift strategies`; may be repeated.",
)
_CHOOSING_OPTIONS: list[Option] = [
    number("-k", "--keep", allows=Keep, default=0.25, help="Fraction of the tokens kept"),
    number("--max-tokens", allows=Count, help="Most tokens kept; the smaller limit wins"),
    number("--max-frames", allows=Count, help="Most frames encoded; the selector picks them"),
    number(
        "--gate",
        allows=Levels,
        help="Encode a patch again where it changed by more levels of 256, such as 8",
    ),
    click.option(
        "--still",
        type=click.Choice(get_args(Still)),
        default="copied",
        help="What becomes of the other patches.",
    ),
    click.option(
        "--resized-by",
        type=click.Choice(get_args(ResizedBy)),
        default="model",
        help="What scales large frames down for a vision LLM: its own preparation, which is exact, "
        "or the decoder before it, which is faster.",
    ),
    number("--protect-edges", allows=Share, help="Share of the budget for patches with text"),
]
_TOKEN_OPTIONS: list[Option] = [_STRATEGY, *_CHOOSING_OPTIONS]
_ENCODER = click.option(
    "-e",
    "--encoder",
    show_default="handcrafted",
    shell_complete=names_of("encoders"),
    help="See `framesift encoders`.",
)
_TOWER = click.option(
    "--vlm",
    shell_complete=names_of("vlms"),
    help="Vision LLM whose own tower makes the tokens, so that it can be asked later.",
)
_SEARCH_OPTIONS: list[Option] = [
    click.option(
        "--vlm",
        show_default="tiny, or what made the tokens of a folder",
        shell_complete=names_of("vlms"),
        help="What answers: a name, a hub id or a folder.",
    ),
    click.option(
        "--evidence",
        type=click.Choice(get_args(EvidenceKind)),
        default="auto",
        help="How the stretches that the answer rests on are found: by attention, or by similarity "
        "to the question where the model shows none.",
    ),
]
_ANSWER_OPTIONS: list[Option] = [
    *_SEARCH_OPTIONS,
    number(
        "--max-text-tokens",
        allows=Count,
        default=512,
        help="Most tokens of what --text has read, which stands beside the pictures",
    ),
    number("--max-new-tokens", allows=Count, default=64, help="Longest answer"),
    number("--temperature", allows=NotNegative, default=0.0, help="0 is greedy, above 0 draws"),
    click.option("--seed", type=int, help="Makes a draw repeatable."),
    click.option("--stop", multiple=True, help="End the answer before this text; may be repeated."),
]

CHOOSING: Final = frozenset(
    {"strategy", "keep", "max_tokens", "max_frames", "gate", "still", "protect_edges"}
    | {"selector", "fps", "resized_by"}
)
"""Options that say which tokens and frames are kept."""
ANSWERS: Final = "tiny"
"""What answers where nothing else is named."""
uri = click.argument("uri")
"""A file, a link to a video or its page, or synthetic://NAME."""
uris = click.argument("uris", metavar="URI...", nargs=-1, required=True)
"""Several of them, or pictures."""
question = click.option("-q", "--question", help="What is to be answered.")
count = number("-n", "--count", allows=Count, default=8, help="Number of keyframes")
folder = click.option(
    "-o",
    "--out",
    type=GivenPath(path_type=Path, file_okay=False),
    help="Folder to write to.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object only.")


def with_frame_options(command: Command) -> Command:
    """Gives a command its `sift`, made from the options that concern frames."""
    return _with_compressor(command, _FRAME_OPTIONS)


def with_token_options(command: Command) -> Command:
    """Gives a command its `sift`, made from the options that concern frames and tokens."""
    return _with_compressor(command, [*_TOKEN_OPTIONS, _ENCODER, _TOWER, *_FRAME_OPTIONS])


def with_strategies(command: Command) -> Command:
    """Gives a command what `with_token_options` does, and `others` with further strategies."""
    options: list[Option] = [_STRATEGIES, *_CHOOSING_OPTIONS, _ENCODER, _TOWER]
    return _with_compressor(command, [*options, *_FRAME_OPTIONS])


def with_search_options(command: Command) -> Command:
    """Gives a command its `sift` with a vision LLM, and how stretches are found.

    Those of its addresses that are folders of compressed tokens come as what they hold.
    """
    return _with_model(command, _SEARCH_OPTIONS)


def with_answer_options(command: Command) -> Command:
    """Gives a command what `with_search_options` does, its `generation`, and `beside`.

    That is what was read of its videos: readers that are named put their lines into the prompt.
    """

    @functools.wraps(command)
    def run(
        max_new_tokens: int,
        temperature: float,
        seed: int | None,
        stop: tuple[str, ...],
        max_text_tokens: int,
        sift: framesift.VideoCompressor,
        **given: Any,
    ) -> None:
        generation = framesift.Generation(
            max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, stop=stop
        )
        text = sift.text if names_readers() else None
        beside = {"text": text, "max_text_tokens": max_text_tokens}
        command(sift=sift, generation=generation, beside=beside, **given)

    return _with_model(run, _ANSWER_OPTIONS)


def names_readers() -> bool:
    """Returns whether --text was given, and not left at what it is without."""
    source = click.get_current_context().get_parameter_source("text")
    return source is ParameterSource.COMMANDLINE


def _with_model(command: Command, options: list[Option]) -> Command:
    making = _with_compressor(command, [])

    @functools.wraps(command)
    def opening(vlm: str | None, **given: Any) -> None:
        several = "uris" in given
        videos = [saved.opened(uri) for uri in (given["uris"] if several else [given["uri"]])]
        given |= {"uris": videos} if several else {"uri": videos[0]}
        if all(isinstance(video, framesift.CompressedVideo) for video in videos):
            _refuse_choosing()
        making(vlm=saved.answering(vlm, videos) or ANSWERS, **given)

    return with_options(opening, [*options, *_TOKEN_OPTIONS, *_FRAME_OPTIONS])


def _refuse_choosing() -> None:
    """Refuses options that choose tokens where those of a folder are chosen already."""
    context = click.get_current_context()
    for option in context.command.params:
        named = context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
        if named and option.name in CHOOSING:
            raise click.UsageError(
                f"{option.opts[-1]} has no effect on a folder, whose tokens are chosen already; "
                "leave it out, or compress the video again"
            )


def _with_compressor(command: Command, options: list[Option]) -> Command:
    @functools.wraps(command)
    def run(
        protect_edges: float | None = None,
        strategy: str | tuple[str, ...] = "temporal",
        **given: Any,
    ) -> None:
        names = (strategy,) if isinstance(strategy, str) else strategy
        parts = [_strategy(name, protect_edges) for name in names]
        limits, site = fetching(given)
        fields = framesift.VideoCompressor.__dataclass_fields__.keys() & given.keys()
        sift = framesift.VideoCompressor(
            strategy=parts[0],
            limits=limits,
            site=site,
            **{name: given.pop(name) for name in fields},
        )
        if not isinstance(strategy, str):
            given["others"] = [replace(sift, strategy=part) for part in parts[1:]]
        command(sift=sift, **given)

    return with_options(run, options)


def _strategy(spec: str, protect_edges: float | None) -> Strategy:
    if protect_edges is None:
        return framesift.create_strategy(spec)
    return framesift.create_strategy("protect-edges", strategy=spec, share=protect_edges)
