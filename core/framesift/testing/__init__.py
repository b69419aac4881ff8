"""Test suites that hold your own parts to the promises of framesift's, and tiny models for them.

A suite is a class whose methods pytest collects. Deriving from it and naming the part is all that a
test module needs:

    from framesift.testing import StrategyContract

    class TestMine(StrategyContract):
        spec = "mine:option=1"  # or an instance, or a class that needs no options

To hold several parts, or several options of one, to the same promises, override the fixture `part`
by one with parameters; framesift's own tests do this with every registered name. Where a part
cannot keep a promise, override that method, and say why.

Suites need pytest: `pip install 'framesift[testing]'`.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from framesift.registry import require

if TYPE_CHECKING:
    from framesift.testing._vlm_processor import VLMProcessorContract
    from framesift.testing.decoders import DecoderContract
    from framesift.testing.encoders import EncoderContract
    from framesift.testing.readers import ReaderContract
    from framesift.testing.rounding import assert_near
    from framesift.testing.samples import compressed, random_frames, random_tokens
    from framesift.testing.scorers import ScorerContract
    from framesift.testing.selectors import SelectorContract
    from framesift.testing.sources import SourceContract
    from framesift.testing.strategies import StrategyContract, StrategyScaleContract
    from framesift.testing.tiny_vlms import TINY_VLMS, OrdinaryPrompt, TinyVLM
    from framesift.testing.towers import tiny_tower, tiny_two_towers
    from framesift.testing.vlms import VLMContract

_HOMES = {
    "DecoderContract": "decoders",
    "EncoderContract": "encoders",
    "ReaderContract": "readers",
    "ScorerContract": "scorers",
    "SelectorContract": "selectors",
    "SourceContract": "sources",
    "StrategyContract": "strategies",
    "StrategyScaleContract": "strategies",
    "TINY_VLMS": "tiny_vlms",
    "OrdinaryPrompt": "tiny_vlms",
    "TinyVLM": "tiny_vlms",
    "VLMContract": "vlms",
    "VLMProcessorContract": "_vlm_processor",
    "assert_near": "rounding",
    "compressed": "samples",
    "random_frames": "samples",
    "random_tokens": "samples",
    "tiny_tower": "towers",
    "tiny_two_towers": "towers",
}
_SUITES = (
    "_decoder_damage",
    "_decoder_pictures",
    "_decoder_times",
    "_strategy_plans",
    "_suite",
    "_vlm_case",
    "_vlm_loading",
    "_vlm_processor",
    "_vlm_prompts",
    "_vlm_units",
    "decoders",
    "encoders",
    "readers",
    "scorers",
    "selectors",
    "sources",
    "strategies",
    "vlms",
)

__all__ = [
    "TINY_VLMS",
    "DecoderContract",
    "EncoderContract",
    "OrdinaryPrompt",
    "ReaderContract",
    "ScorerContract",
    "SelectorContract",
    "SourceContract",
    "StrategyContract",
    "StrategyScaleContract",
    "TinyVLM",
    "VLMContract",
    "VLMProcessorContract",
    "assert_near",
    "compressed",
    "random_frames",
    "random_tokens",
    "tiny_tower",
    "tiny_two_towers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.endswith("Contract"):
        # Assertions that pytest did not rewrite would fail without the values that they compare.
        pytest = require("pytest", extra="testing")
        suites = {f"{__name__}.{module}" for module in _SUITES}
        pytest.register_assert_rewrite(*sorted(suites - sys.modules.keys()))  # it warns of others
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
