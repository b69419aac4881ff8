"""The results of a benchmark as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.process import Json


def table_lines(results: Json) -> Iterator[str]:
    """Yields a line for each row: what was measured, its value, and the peer it is set against."""
    for section, figures in results["sections"].items():
        yield f"\n{section}: {figures['question']}"
        for row in figures["rows"]:
            yield "  " + _line(row)
        for row in figures.get("shares_of_decode", ()):
            yield f"  {row['name']:<30} plan takes {row['share_of_decode']:.2%} of decode"
        for name, reason in (figures.get("skipped", {}) | figures.get("failed", {})).items():
            yield f"  left out: {name}: {reason}"
        if "met" in figures:
            yield f"  asked: {figures['asked']}; met: {figures['met']}"
        if "took_seconds" in figures:
            yield f"  took {figures['took_seconds']} s"


def _line(row: Json) -> str:
    label = " ".join(str(row[key]) for key in ("video", "frames", "name") if key in row)
    if "per_second" in row:
        return f"{label:<50}{row['per_second']:9.2f} answers per second, {row['full']} x 429"
    if "share" in row:
        low, high = row["interval"]
        aim = f", {row['aim']:.0%} of the frames" if "aim" in row else ""
        shown = f"{row['share']:9.1%} of {row['events']} events, {low:.1%} to {high:.1%}"
        return f"{label:<50}{shown}{aim}"
    if "parameters" in row:
        size, peak = row["parameters"] / 1e9, row["peak_bytes"] / 1e6
        return f"{label:<50}{row['seconds']:9.3f} s   {peak:.0f} MB at {size:.2f} B weights"
    if "stage" in row:
        took = f"{row['seconds']:9.3f} s   {row['times_peer']:6.3f} x {row['peer']}"
        held = f"   {row['peak_bytes'] / 1e6:.0f} MB" if "peak_bytes" in row else ""
        return f"{label:<50}{took}{held}"
    if "peak_growth" in row:
        value = f"{row['peak_bytes'] / 1e6:9.0f} MB  {row['peak_growth']:6.2f} x the peak of"
    elif "times_peer" in row:
        value = f"{row['seconds']:9.3f} s   {row['times_peer']:6.1f} x the time of"
    elif "peer" in row:
        value = f"{row['seconds']:9.3f} s   {row['speed_vs_peer']:6.2f} x the speed of"
    else:
        value = f"{row['seconds']:9.3f} s   no peer"
    inexact = "  NOT THE ASKED FRAMES" if row.get("exact") is False else ""
    return f"{label:<50}{value} {row.get('peer', '')}{inexact}"
