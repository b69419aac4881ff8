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
    planning = results["planning"]
    yield ""
    yield (
        f"plans     a quarter of {planning['tokens']:,} tokens; encoding takes "
        f"{1e3 * planning['encode_seconds']:.1f} ms"
    )
    launched = "kernels" if results["kind"] == "cuda" else "operations"
    for row in planning["rows"]:
        share = f"{100 * row['share_of_encoding']:.3g} %"
        yield (
            f"  {row['strategy']:<18}{1e3 * row['seconds']:>9.2f} ms{share:>9}"
            f"{row['launches']:>8} {launched}"
        )
    yield ""
    yield f"{'asked':<9} {'measured':>9}"
    for goal in results["goals"]:
        verdict = {True: "met", False: "MISSED", None: ""}[goal["met"]]
        yield f"{goal['asked']:<9} {goal['measured']:>9.3g}  {verdict:<7} {goal['name']}"


def _model(model: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"{model['name']}, random weights, {model['dtype']}"
    for size in model["first_tokens"]:
        own = size["own"]
        yield (
            f"  {size['frames']} frames: own path {1e3 * own['seconds']:.0f} ms to the first "
            f"token; preprocess {1e3 * size['preprocess_seconds']:.0f}, encode "
            f"{1e3 * size['encode_seconds']:.0f} (tower alone {1e3 * own['tower_seconds']:.0f})"
        )
        if own["processor_seconds"] is None:
            yield "    the own path is without its processor, which needs torchvision"
        for row in size["rows"]:
            peak = f", peak {row['peak_bytes'] / 1e9:.1f} GB" if row["peak_bytes"] else ""
            yield (
                f"    keep {row['keep']:<5g}{1e3 * row['seconds']:>7.0f} ms, "
                f"{row['times_as_fast_as_own']:.2f} x as fast; plan "
                f"{1e3 * row['plan_seconds']:.1f}, prefill {1e3 * row['prefill_seconds']:.0f}{peak}"
            )
    file = model["from_file"]
    yield (
        f"  file to first token, keep {file['keep']:g}: {1e3 * file['seconds']:.0f} ms, own path "
        f"behind the same decoder {1e3 * file['own_seconds']:.0f}"
    )
    for row in model["skipping"]:
        yield (
            f"  skipping, {row['frames']} frames, {100 * row['still']:.0f} % still: "
            f"{100 * row['share_encoded']:.0f} % encoded in {row['times_whole']:.2f} x the time"
        )
    found = model["decoding"]
    yield (
        f"  token     own path {found['own_ms_per_token']:.1f} ms, usual "
        f"{found['usual']['ms_per_token']:.1f}, compiled {found['compiled']['ms_per_token']:.1f}"
    )
    if found["not_compiled"]:
        yield f"    not compiled: {found['not_compiled']}"
    for name in ("usual", "compiled"):
        yield (
            f"  second question / first from the file, {name}: "
            f"{found[name]['second_times_first']:.2f} of "
            f"{1e3 * found[name]['first_question_seconds']:.0f} ms"
        )
