"""Progress bars for long work: on a terminal they show, everywhere else they are silent."""

from __future__ import annotations

from tqdm import tqdm


def progress_bar(stage: str, *, total: float | None = None, unit: str = "frame") -> tqdm:
    """Returns a bar on stderr for one stage; use it in a `with` block and call `update(n)`.

    Args:
        stage: what is going on, in one word, such as `"download"`.
        total: number of units to come, None where nobody knows.
        unit: `"B"` scales to kilobytes and megabytes.
    """
    return tqdm(
        desc=stage,
        total=total,
        unit=unit,
        unit_scale=unit == "B",
        disable=None,
        leave=False,
        mininterval=0.2,
    )
