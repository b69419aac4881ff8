"""What the published code of the methods gave out for small videos, beside what it was given.

`data/*.npz` holds numbers only: inputs, parameters and outputs. They were computed on a CPU in
float32 with torch 2.13.0, clustering without noise, by these commits:

| file | code |
|---|---|
| `cdpruner` | Theia-4869/CDPruner 9541616 |
| `dycoke` | KD-TAO/DyCoke dd74634 |
| `evs` | vllm-project/vllm d750efb |
| `fastvid` | LunarShen/FastVID a40a109, the variant for LLaVA-OneVision |
| `framefusion` | thu-nics/FrameFusion fbec1d2, merging only |
| `holitom` | cokeshao/HoliTom e9b2972 |
| `pllava` | `torch.nn.AdaptiveAvgPool3d`, which PLLaVA calls |
| `prumerge` | 42Shawn/LLaVA-PruMerge 097c041 |
| `prunevid` | Visual-AI/PruneVid b12600c |
| `scissor` | HumanMLLM/LLaVA-Scissor b63354c |
| `sttm` | HYUNJS/STTM 00736c7 |
| `tome` | facebookresearch/ToMe af95e4b |
| `vidcom2` | vllm-project/vllm 0f17ee0 and xuyang-liu16/VidCom2 944a17d |
| `vision_zip` | dvlab-research/VisionZip 3151f6d |

`kind` says how near a case has to come: all outputs of an `exact` one are equal, of a `near` one at
least the share `wanted`; `differs` and `quirk` stand for outcomes that the docstring of the
strategy lists under its differences.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from framesift.types.tokens import Signals, VideoTokens

DATA = Path(__file__).parent / "data"
SIGNALS = ("attention", "keys", "question_similarity")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One video and what the published code made of it."""

    file: str
    name: str
    arrays: dict

    def __getitem__(self, key):
        return self.arrays[key]

    def get(self, key, default=None):
        return self.arrays.get(key, default)

    def __repr__(self):
        return f"{self.file}-{self.name}"

    @property
    def kind(self):
        return self["kind"]

    @property
    def tokens(self):
        dtype = getattr(torch, self.get("dtype", "float32"))
        signals = {
            name: torch.from_numpy(self[name].astype(np.float32))
            for name in SIGNALS
            if name in self.arrays
        }
        features = torch.from_numpy(self["features"].astype(np.float32)).to(dtype)
        return VideoTokens(
            features=features,
            grid=tuple(self["grid"].tolist()),
            pts_seconds=torch.arange(len(features), dtype=torch.float64),
            signals=Signals(**signals),
        )


def cases(file, *kinds):
    """Returns the cases of a file that are of one of the `kinds`."""
    with np.load(DATA / f"{file}.npz") as stored:
        names = [str(name) for name in stored["cases"]]
        found = []
        for name in names:
            keys = [key for key in stored.files if key.startswith(f"{name}/")]
            arrays = {key.removeprefix(f"{name}/"): _plain(stored[key]) for key in keys}
            found.append(Case(file=file, name=name, arrays=arrays))
    chosen = [case for case in found if case.kind in kinds]
    assert chosen
    return chosen


def share_of_rows(plan, case, *, each_once=True):
    """Returns the share of the original's rows that `plan` gives within 1e-4 of their length.

    Of equal rows, as static videos have them, as many must be given, if `each_once`.
    """
    given = plan.apply(case.tokens.features.double())
    wanted = torch.from_numpy(case["rows"]).double()
    if given.shape != wanted.shape:
        return 0.0
    near = torch.cdist(wanted, given) <= 1e-4 * wanted.norm(dim=1, keepdim=True).clamp_min(1e-12)
    left, found = torch.ones(len(given), dtype=torch.bool), 0
    for row in near:
        places = (row & left).nonzero().flatten()
        if len(places):
            left[places[0]] = not each_once
            found += 1
    return found / len(wanted)


def _plain(value):
    return value.item() if value.shape == () else value
