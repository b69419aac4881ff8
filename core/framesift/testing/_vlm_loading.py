"""What every vision LLM promises however it is loaded: in fewer bits, by any attention, spread."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from framesift.answering.generation import Generation
from framesift.answering.session import Session
from framesift.errors import FramesiftError
from framesift.hf.checkpoint import load_model
from framesift.hf.quantization import GROUP, WHOLE
from framesift.registry import require
from framesift.strategies.base import create_strategy
from framesift.testing._vlm_case import FRAMES, QUESTION, VLMCase
from framesift.testing.rounding import assert_near
from framesift.testing.samples import compressed
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens
from framesift.vlms.base import VLM, Turn

BITS = {"8bit": 0.98, "4bit": 0.6}
"""Least cosine with the whole LLM's logits; random weights are harder to round than others."""
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class LoadingPromises:
    """What is kept, and evidence, do not depend on how the weights lie in memory."""

    def test_fewer_bits_are_for_the_llm_alone(self, case: VLMCase) -> None:
        """Where weights have fewer bits, tower, projector and head keep all of theirs."""
        quantizers = require("transformers.quantizers.quantizers_utils", extra="hf")
        llm = {id(module) for module in case.vlm.hf.get_decoder().modules()}
        for name, module in case.vlm.hf.named_modules():
            if isinstance(module, torch.nn.Linear):
                fewer = quantizers.should_convert_module(name, [*WHOLE])
                assert fewer == (id(module) in llm), f"{name} has fewer bits: {fewer}"

    @pytest.mark.skipif(not importlib.util.find_spec("torchao"), reason="torchao is not installed")
    @pytest.mark.parametrize("bits", BITS)
    def test_it_runs_in_fewer_bits(self, case: VLMCase, bits: str) -> None:
        """Features are the same in fewer bits, and answers come near."""
        llm = case.vlm.hf.get_decoder().modules()
        widths = [each.in_features for each in llm if isinstance(each, torch.nn.Linear)]
        if bits == "4bit" and any(width % GROUP for width in widths):
            pytest.skip("layers are narrower than what shares a scale")
        _check_fewer_bits(case, bits, "cpu")

    @needs_gpu
    @pytest.mark.skipif(
        not importlib.util.find_spec("bitsandbytes"), reason="bitsandbytes is not installed"
    )
    @pytest.mark.parametrize("bits", BITS)
    def test_on_a_gpu_it_runs_in_fewer_bits(self, case: VLMCase, bits: str) -> None:
        """The same holds on a GPU."""
        _check_fewer_bits(case, bits, "cuda")

    def test_eager_attention_gives_the_same_plan_and_evidence(self, case: VLMCase) -> None:
        """Plan, logits and evidence are the same by another attention function."""
        own, eager = _run(case, case.vlm), _run(case, case.load(device="cpu", attention="eager"))
        _check_same(eager, own)
        assert_near(eager.logits, own.logits)
        assert_near(eager.evidence, own.evidence)

    @needs_gpu
    @pytest.mark.parametrize("attention", ["eager", "flash_attention_2"])
    def test_on_a_gpu_attention_functions_give_the_same_plan_and_evidence(
        self, case: VLMCase, attention: str
    ) -> None:
        """The same holds on a GPU, in bfloat16 within its rounding, also by flash attention."""
        flash = require("transformers", extra="hf").utils.is_flash_attn_2_available()
        if attention != "eager" and not flash:
            pytest.skip("flash-attn is not installed")
        dtype = "float32" if attention == "eager" else "bfloat16"
        own = _run(case, case.load(device="cuda", dtype=dtype))
        other = _run(case, case.load(device="cuda", dtype=dtype, attention=attention))
        _check_same(other, own)

    def test_flash_attention_on_a_cpu_is_refused_in_one_line(self, case: VLMCase) -> None:
        """An attention function without a kernel for the device is refused."""
        with pytest.raises(FramesiftError, match="flash_attention_2") as error:
            case.load(device="cpu", attention="flash_attention_2")
        assert "\n" not in str(error.value)

    def test_it_is_spread_over_what_there_is(self, case: VLMCase) -> None:
        """`device="auto"` leaves the answer as it is."""
        one = "cuda" if torch.cuda.is_available() else "cpu"
        own = _run(case, case.load(device=one, dtype="float32"))
        _check_same(_run(case, case.load(device="auto", dtype="float32")), own)

    @needs_gpu
    def test_on_a_gpu_tower_and_llm_may_be_on_two_devices(self, case: VLMCase) -> None:
        """A model of which parts are on several devices answers as on one."""
        own = _run(case, case.load(device="cuda", dtype="float32"))
        _check_same(_run(case, _on_two_devices(case.vlm)), own)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    """What a vision LLM made of the frames of a case."""

    tokens: VideoTokens
    plan: TokenPlan
    logits: Tensor
    """Of the first token of the answer, float32 `(V,)` on the CPU."""
    answer: str
    evidence: Tensor
    """Weight of each kept token."""


def _run(case: VLMCase, vlm: VLM) -> _Ran:
    tokens = vlm.encoder.fitted(case.info, FRAMES).encode(case.frames)
    plan = create_strategy("vision-zip").plan(tokens, tokens.count // 2)
    video = compressed(tokens, plan)
    turns = [Turn(role="user", text=QUESTION, videos=(video,))]
    answer, evidence, _ = Session(vlm).token_weights(
        turns, Generation(max_new_tokens=3), "attention", words=QUESTION
    )
    with torch.no_grad():
        logits = vlm.hf(**vlm.prompt(turns).inputs()).logits[0, -1]
    return _Ran(
        tokens=tokens,
        plan=plan,
        logits=logits.float().cpu(),
        answer=answer.text,
        evidence=evidence.float().cpu(),
    )


def _check_same(found: _Ran, expected: _Ran, *, least: float = 0.999) -> None:
    """Holds what two kernels share: the plan to the token, numbers by their direction."""
    assert torch.equal(found.plan.src.cpu(), expected.plan.src.cpu())
    assert torch.equal(found.plan.dst.cpu(), expected.plan.dst.cpu())
    for name in ("logits", "evidence"):
        pair = getattr(found, name).flatten(), getattr(expected, name).flatten()
        similar = torch.cosine_similarity(*pair, dim=0)
        assert similar > least, f"{name} differ: cosine {similar:.5f}"


def _check_fewer_bits(case: VLMCase, bits: str, device: str) -> None:
    vlm = case.load(device=device, quantize=bits)
    tokens = vlm.encoder.fitted(case.info, FRAMES).encode(case.frames)
    given, whole = tokens.features.float().cpu(), case.tokens.features
    assert torch.cosine_similarity(given.flatten(), whole.flatten(), dim=0) > 0.999
    video = compressed(tokens, case.plan(torch.arange(tokens.count)))
    prompt = vlm.prompt([Turn(role="user", text=QUESTION, videos=(video,))])
    with torch.no_grad():
        logits = vlm.hf(**prompt.inputs()).logits[0, -1].float().cpu()
    expected = case.logits(case.prompt(case.whole).inputs())[0, -1]
    similar = torch.cosine_similarity(logits, expected, dim=0)
    assert BITS[bits] < similar < 0.999999, f"cosine of logits {similar:.6f}"
    assert vlm.hf.generate(**prompt.inputs(), max_new_tokens=2, do_sample=False).shape[0] == 1


def _on_two_devices(vlm: VLM) -> VLM:
    """Returns a vision LLM whose tower is on the GPU and whose LLM is on the CPU."""
    hf = load_model(
        vlm.model,
        vlm.model_types,
        device="cpu",
        dtype="float32",
        quantize=None,
        trust_remote_code=False,
    )
    prefix, llm = hf.base_model_prefix, hf.get_decoder()
    places: dict[str, Any] = {name: "cpu" for name, _ in hf.named_children() if name != prefix}
    places |= {
        f"{prefix}.{name}": "cpu" if child is llm else 0
        for name, child in hf.base_model.named_children()
    }
    places |= {f"{prefix}.{name}": 0 for name, _ in hf.base_model.named_parameters(recurse=False)}
    apart = replace(vlm)
    with warnings.catch_warnings():  # a parameter that lies in no part of its own has its place too
        warnings.filterwarnings("ignore", "The following device_map keys do not match")
        vars(apart)["hf"] = require("accelerate", extra="hf").dispatch_model(
            hf, places, main_device="cpu"
        )
    return apart
