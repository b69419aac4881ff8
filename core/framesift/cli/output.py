"""What commands print: lines for people on stdout, or one JSON object and nothing else."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

from framesift.cli import terminal
from framesift.types.clock import cut
from framesift.types.schema import explained

if TYPE_CHECKING:
    from framesift.registry import Registry
    from framesift.types.answer import Answer, Segment
    from framesift.types.compressed import CompressionReport, Keyframe

SHOWN: Final = 240
"""Letters of what is said and written in a stretch that is found."""


def show_report(
    report: CompressionReport,
    files: Sequence[Path],
    *,
    others: Sequence[CompressionReport] = (),
    as_json: bool,
) -> None:
    """Prints the tokens that were kept, and the time it took; of further strategies in a line."""
    if as_json:
        beside = {"others": [each.model_dump(mode="json") for each in others]} if others else {}
        show_json({**report.model_dump(mode="json"), **beside, "files": files})
        return
    kept = report.tokens_out / report.tokens_in
    terminal.line(f"{report.uri}  ({report.extent})")
    terminal.line(f"tokens    {report.tokens_in:,} -> {report.tokens_out:,}  ({kept:.1%} kept)")
    what, rate = ("views ", "") if report.picture else ("frames", f"  ({report.fps:g} per second)")
    terminal.line(f"{what}    {report.frames_in:,} -> {report.frames_shown:,}{rate}")
    if report.segments:
        key, temporal = (
            sum(getattr(segment, name) for segment in report.segments)
            for name in ("key_tokens", "temporal_tokens")
        )
        terminal.line(
            f"segments  {len(report.segments):,}  ({key:,} tokens of their key frames, "
            f"{temporal:,} temporal tokens)"
        )
    if report.share_encoded < 1:
        terminal.line(
            f"encoded   {report.share_encoded:.0%} of the tokens, in {report.frames_encoded:,} of "
            f"{report.frames_in:,} frames  (the others stood still)"
        )
    terminal.line(f"strategy  {report.strategy}  on  {report.encoder}")
    stages = "  ".join(f"{name} {seconds:.2f}" for name, seconds in report.seconds.items())
    terminal.line(f"seconds   {stages}")
    for each in others:
        counts = f"{each.tokens_out:,} tokens in {each.frames_shown:,} {what.strip()}"
        terminal.line(f"beside    {each.strategy}: {counts}")
    notes = [line for each in (report, *others) for line in each.warnings]
    _print_notes(list(dict.fromkeys(notes)), files)


def show_keyframes(
    uri: str,
    requested: int,
    frames: Sequence[Keyframe],
    warnings: Sequence[str],
    files: Sequence[Path],
    *,
    as_json: bool,
) -> None:
    """Prints the time of each keyframe and why it was kept."""
    if as_json:
        rows = [frame.metadata() for frame in frames]
        counts = {"uri": uri, "count_asked": requested, "count": len(frames)}
        show_json({**counts, "keyframes": rows, "warnings": warnings, "files": files})
        return
    for frame in frames:
        terminal.line(f"{cut(frame.pts_seconds, 2):9.2f} s  {frame.score:.3f}  {frame.reason}")
    _print_notes(warnings, files)


def show_segments(
    uri: str, segments: Sequence[Segment], warnings: Sequence[str], *, as_json: bool
) -> None:
    """Prints the span of each segment, its keyframe's time and its text."""
    if as_json:
        rows = [segment.model_dump() for segment in segments]
        show_json({"uri": uri, "segments": rows, "warnings": warnings})
        return
    for segment in segments:
        start, end, shown = (
            cut(seconds, 2)
            for seconds in (segment.start_seconds, segment.end_seconds, segment.keyframe_seconds)
        )
        span = f"{start:9.2f} - {end:8.2f} s"
        terminal.line(f"{span}  keyframe {shown:8.2f} s  {_words(segment)}".rstrip())
    _print_notes(warnings, [])


def show_piece(text: str) -> None:
    """Prints a piece of an answer at once."""
    terminal.echo(text, nl=False)


def show_warning(line: str) -> None:
    """Prints a warning at once."""
    terminal.line(f"warning   {line}", err=True)


def show_answer(
    answer: Answer, printed: Sequence[str], *, several: bool, streamed: bool, as_json: bool
) -> None:
    """Prints the answer, the stretches that it rests on, and what it took.

    Args:
        answer: what the model answered.
        printed: its warnings that were printed already.
        several: whether stretches name their video.
        streamed: whether the words were printed already.
        as_json: whether to print one JSON object instead.
    """
    if as_json:
        show_json(answer.model_dump(mode="json"))
        return
    terminal.echo("" if streamed else answer.text)
    for segment in answer.evidence:
        source = f"  {segment.uri}" if several else ""
        terminal.line(f"evidence  {_stretch(segment)}{source}")
    usage = answer.usage
    kept = usage.visual_tokens_after / usage.visual_tokens_before
    terminal.line(
        f"tokens    {usage.visual_tokens_before:,} -> {usage.visual_tokens_after:,} visual "
        f"({kept:.1%} kept), prompt {usage.prompt_tokens:,}, answer {usage.answer_tokens:,} "
        f"({usage.finish_reason.replace('_', ' ')})"
    )
    terminal.line(
        f"seconds   encode {usage.encode_seconds:.2f}  prefill {usage.prefill_seconds:.2f}  "
        f"decode {usage.decode_seconds:.2f}"
    )
    terminal.line(f"cache     {usage.kv_cache_bytes / 2**20:.2f} MiB of keys and values")
    # Of several videos, those of the answer name their video before the line.
    rest = [line for line in answer.warnings if not line.endswith(tuple(printed))]
    _print_notes(rest, [])


def show_matches(
    uri: str, query: str, segments: Sequence[Segment], warnings: Sequence[str], *, as_json: bool
) -> None:
    """Prints the moments that match a query, or that there are none; notes on stderr."""
    from framesift.answering.search import nothing_like

    nothing = nothing_like([uri], query)
    _print_notes([line for line in warnings if line != nothing], [])
    if as_json:
        moments = [segment.model_dump(mode="json") for segment in segments]
        show_json({"uri": uri, "query": query, "moments": moments, "warnings": warnings})
        return
    for segment in segments:
        terminal.line(f"found     {_stretch(segment)}")
        if words := _words(segment):
            terminal.line(f"          {shorten(words, SHOWN, placeholder=' ...')}")
    if nothing in warnings:
        terminal.line(nothing)


def show_parts(plural: str, *, as_json: bool) -> None:
    """Prints the parts of a registry with their facts and options."""
    registry: Registry[Any] = importlib.import_module(f"framesift.{plural}").registry
    rows = registry.facts()
    if as_json:
        show_json({plural: rows})
        return
    for row in rows:
        facts = [f"{key}: {', '.join(row[key])}" for key in ("needs", "gives") if row.get(key)]
        if row.get("reads_question"):
            facts.append("needs a question")
        if "output" in row:
            facts.append(f"{row['applies_to']}, {row['output']}, {row['cost']}")
        schemas = row["schema"]["properties"]
        options = [
            f"{key}={value}  {explained(schemas[key])}" for key, value in row["options"].items()
        ]
        terminal.line(f"{row['name']:<13} {row['summary']}")
        for line in [*facts, *options]:
            terminal.line(f"{'':<14}{line}")


def _stretch(segment: Segment) -> str:
    """Returns from when to when, where in the picture, and why."""
    span = f"{cut(segment.start_seconds, 2):.2f} - {cut(segment.end_seconds, 2):.2f} s"
    place = "" if segment.box is None else "  box {:.2f} {:.2f} {:.2f} {:.2f}".format(*segment.box)
    return f"{span}{place}  {segment.reason}"


def _words(segment: Segment) -> str:
    """Returns what is said and written in a segment, in one line."""
    return " / ".join(filter(None, [segment.text, *segment.screen_text.splitlines()]))


def show_json(value: dict[str, Any]) -> None:
    """Prints one JSON object."""
    terminal.line(json.dumps(value, default=str))


def _print_notes(warnings: Sequence[str], files: Sequence[Path]) -> None:
    for warning in warnings:
        show_warning(warning)
    for file in files:
        terminal.line(f"wrote     {file}")
