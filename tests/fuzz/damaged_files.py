"""Reads damaged files by every decoder, in a process of its own; prints what it found as JSON.

Run as `python damaged_files.py FOLDER SEED COUNT`: FOLDER holds good files; each is damaged in
COUNT ways, and is left as it was.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from benchmarks.process import peak_bytes
from framesift.decoders import registry
from framesift.decoders.stills import WithStills
from framesift.errors import FramesiftError

MAX_PIXELS = 2**22
"""Of the decoders under test, so that what a header claims is refused soon."""
BOUNDARIES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Damage = Callable[[bytearray, random.Random], None]


def flip(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4, 32))):
        content[chance.randrange(len(content))] = chance.randrange(256)


def flip_head(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 4, 16))):
        content[chance.randrange(min(1024, len(content)))] = chance.randrange(256)


def cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def leave_out(content: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(content))
    del content[start : start + chance.randrange(1, 2000)]


def repeat(content: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(content))
    content[start:start] = content[start : start + chance.randrange(1, 4000)]


def join(content: bytearray, chance: random.Random) -> None:
    content += content[chance.choice((0, 0, 13, 188, chance.randrange(len(content)))) :]


def set_number(content: bytearray, chance: random.Random) -> None:
    """Puts a number at the edge of its range anywhere in the header or the last part."""
    size = chance.choice((1, 2, 4))
    value = chance.choice(BOUNDARIES) & ((1 << 8 * size) - 1)
    order = chance.choice("<>")
    number = struct.pack(f"{order}{ {1: 'B', 2: 'H', 4: 'I'}[size] }", value)
    place = chance.randrange(max(1, min(2048, len(content) - size)))
    if chance.random() < 0.5:
        place = max(0, len(content) - size - place)
    content[place : place + size] = number


def blank(content: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(content))
    size = min(chance.randrange(1, 3000), len(content) - start)
    content[start : start + size] = bytes([chance.choice((0, 255))]) * size


def installed() -> list[str]:
    """Returns the decoders whose library is at hand."""
    found = set(registry.names())
    if find_spec("torchcodec") is None:
        found.remove("torchcodec")
    return sorted(found)


DAMAGES: tuple[Damage, ...] = (
    flip,
    flip_head,
    cut,
    leave_out,
    repeat,
    join,
    set_number,
    blank,
)


def main(folder: Path, seed: int, count: int) -> None:
    readers = {name: registry.create(f"{name}:max_pixels={MAX_PIXELS}") for name in installed()}
    readers["stills"] = WithStills(videos=readers["pyav"])
    outcomes: dict[str, int] = {}
    raw: list[str] = []
    slowest = ("", 0.0)
    work = folder / "damaged"
    for source in sorted(path for path in folder.iterdir() if path.is_file()):
        chance = random.Random(f"{seed} {source.name}")
        for number in range(count):
            content = bytearray(source.read_bytes())
            damage = chance.choice(DAMAGES)
            damage(content, chance)
            work.with_suffix(source.suffix).write_bytes(content)
            for name, reader in readers.items():
                case = f"{source.name} {damage.__name__} {number} {name}"
                print(case, file=sys.stderr, flush=True)  # the last line names what killed us
                start = time.perf_counter()
                outcome = read(reader, work.with_suffix(source.suffix), case, raw)
                slowest = max(slowest, (case, time.perf_counter() - start), key=lambda s: s[1])
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
            work.with_suffix(source.suffix).unlink()
    peak_mib = peak_bytes() / 2**20
    print(json.dumps({"outcomes": outcomes, "raw": raw, "slowest": slowest, "peak_mib": peak_mib}))


def read(reader: WithStills, path: Path, case: str, raw: list[str]) -> str:
    """Returns how it ended, and adds what is not one line for a user to `raw`."""
    try:
        index = reader.index(path)
        count = len(index.pts_seconds)
        wanted = sorted({0, count // 2, count - 1})
        warnings: list[str] = []
        frames = sum(map(len, reader.decode(path, wanted, size_px=(24, 32), warn=warnings.append)))
        if not (index.pts_seconds[1:] > index.pts_seconds[:-1]).all():
            raw.append(f"{case}: times do not ascend")
        if frames < len(wanted) and not warnings:
            raw.append(f"{case}: {frames} of {len(wanted)} frames came without a warning")
    except FramesiftError as error:
        if "\n" in str(error):
            raw.append(f"{case}: an error of several lines: {error}")
        return type(error).__name__
    except BaseException as error:
        raw.append(f"{case}: {type(error).__name__}: {error}")
        return "raw"
    return "frames"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
