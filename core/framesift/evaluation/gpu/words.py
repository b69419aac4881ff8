"""The results of a run as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def result_lines(results: dict[str, Any]) -> list[str]:
    """Returns the figures of a run, and each goal with what was asked and measured."""
    return list(_lines(results))


def _lines(results: dict[str, Any]) -> Iterator[str]:
    yield f"device    {results['device']}"
    if results["note"]:
        yield f"note      {results['note']}"
    decode = results["decode"]
    yield f"decode    {1e3 * decode['seconds']:.0f} ms for {decode['frames']} frames"
    for model in results["models"]:
        yield from _model(model)
    if results["planning"]:
        yield from _plans(results["planning"], results["kind"])
    yield ""
    for failure in results["failures"]:
        yield f"FAILED    {failure['section']}: {failure['error']}"
    yield f"{'asked':<9} {'measured':>9}"
    for goal in results["goals"]:
        verdict = {True: "met", False: "MISSED", None: ""}[goal["met"]]
        yield f"{goal['asked']:<9} {goal['measured']:>9.3g}  {verdict:<7} {goal['name']}"


def _plans(planning: dict[str, Any], kind: str) -> Iterator[str]:
    yield ""
    yield (
        f"plans     a quarter of {planning['tokens']:,} tokens; {planning['tower']} encodes "
        f"{planning['frames']} frames in {1e3 * planning['encode_seconds']:.1f} ms"
    )
    launched = "kernels" if kind == "cuda" else "operations"
    for row in planning["rows"]:
        share = f"{100 * row['share_of_encoding']:.3g} %"
        count = "" if row["launches"] is None else f"{row['launches']:>8} {launched}"
        yield f"  {row['strategy']:<18}{1e3 * row['seconds']:>9.2f} ms{share:>9}{count}"


def _model(model: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"{model['name']}, random weights, {model['dtype']}"
    for size in model["first_tokens"]:
        yield from _first_tokens(size)
    if file := model["from_file"]:
        own = file["own_seconds"]
        beside = f", own path behind the same decoder {_ms(own)}" if own else ""
        yield f"  file to first token, keep {file['keep']:g}: {_ms(file['seconds'])}{beside}"
    for row in model["skipping"]:
        yield (
            f"  skipping, {row['frames']} frames, {100 * row['still']:.0f} % still: "
            f"{100 * row['share_encoded']:.0f} % encoded in {row['times_whole']:.2f} x the time; "
            f"{_ms(row['first_token_seconds'])} to the first token"
        )
    if found := model["decoding"]:
        yield from _decoding(found)


def _first_tokens(size: dict[str, Any]) -> Iterator[str]:
    own, tower = size["own"], size["tower_seconds"]
    path = f"own path {_ms(own['seconds'])} to the first token{_peak(own)}; " if own else ""
    alone = f" (tower and projector alone {_ms(tower)})" if tower else ""
    yield (
        f"  {size['frames']} frames: {path}preprocess {_ms(size['preprocess_seconds'])}, "
        f"encode {_ms(size['encode_seconds'])}{alone}"
    )
    if own and own["processor_seconds"] is None:
        yield "    the own path is without its processor, which needs torchvision"
    for row in size["rows"]:
        times = row["times_as_fast_as_own"]
        faster = f", {times:.2f} x as fast" if times else ""
        yield (
            f"    keep {row['keep']:<5g}{1e3 * row['seconds']:>7.0f} ms{faster}; plan "
            f"{1e3 * row['plan_seconds']:.1f} ms, prefill {_ms(row['prefill_seconds'])}{_peak(row)}"
        )


def _decoding(found: dict[str, Any]) -> Iterator[str]:
    ways = [(name, found[name]) for name in ("usual", "compiled") if found[name]]
    own = found["own_ms_per_token"]
    each = [*([("own path", own)] if own else []), *((n, w["ms_per_token"]) for n, w in ways)]
    yield "  token     " + ", ".join(f"{name} {value:.1f} ms" for name, value in each)
    if (compiled := found["compiled"]) and compiled["not_compiled"]:
        yield f"    not compiled: {compiled['not_compiled']}"
    for name, way in ways:
        yield (
            f"  second question / first from the file, {name}: "
            f"{way['second_times_first']:.2f} of {_ms(way['first_question_seconds'])}"
        )


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms"


def _peak(row: dict[str, Any]) -> str:
    return f", peak {row['peak_bytes'] / 1e9:.1f} GB" if row["peak_bytes"] else ""
