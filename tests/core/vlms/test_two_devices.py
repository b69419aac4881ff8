"""A model whose tower is on another device than its LLM answers as one on a single device."""

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.answering.generation import Generation  # noqa: E402
from framesift.answering.session import Session  # noqa: E402
from framesift.errors import ModelError  # noqa: E402
from framesift.strategies.base import create_strategy  # noqa: E402
from framesift.testing import TINY_VLMS, compressed, random_frames  # noqa: E402
from framesift.testing.stand_in import DEVICE, stand_in  # noqa: E402
from framesift.training.time_perceiver.adapting import with_own_weights  # noqa: E402
from framesift.types.video import VideoInfo  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

QUESTION = "What is it?"


def ran(vlm, size_px):
    """Returns which tokens are kept, and the weight of each of them in the answer."""
    height, width = size_px
    info = VideoInfo(
        width_px=width,
        height_px=height,
        duration_seconds=4.0,
        start_seconds=0.0,
        frame_count=4,
        average_fps=1.0,
        codec="none",
    )
    tokens = vlm.encoder.fitted(info, 4).encode(random_frames(4, size_px))
    plan = create_strategy("vision-zip").plan(tokens, tokens.count // 2)
    turns = [Turn(role="user", text=QUESTION, videos=(compressed(tokens, plan),))]
    answer, weights, _ = Session(vlm).token_weights(
        turns, Generation(max_new_tokens=3), "attention", words=QUESTION
    )
    return answer.text, plan.src.cpu(), weights.cpu()


def moved(value, device):
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, list | tuple):
        return type(value)([moved(each, device) for each in value])
    return value


def spread(hf):
    """Moves all but the LLM to another device, each with what it is called with, as accelerate."""
    llm, base = hf.get_decoder(), hf.base_model
    for child in base.children():
        place = "cpu" if child is llm else DEVICE
        child.to(place)
        for module in child.modules():
            module.register_forward_pre_hook(
                lambda _, args, named, place=place: (
                    moved(args, place),
                    {name: moved(value, place) for name, value in named.items()},
                ),
                with_kwargs=True,
                prepend=True,
            )
    for name, parameter in list(base.named_parameters(recurse=False)):
        setattr(base, name, torch.nn.Parameter(parameter.data.to(DEVICE)))


@pytest.fixture(params=["llava-onevision", "internvl", "qwen3-vl"])
def tiny(request):
    return TINY_VLMS[request.param]


def test_tower_and_llm_may_be_apart(tiny, tmp_path):
    tiny.build(tmp_path)
    vlm = load_vlm(str(tmp_path), device="cpu")
    text, kept, weights = ran(vlm, tiny.size_px)
    with stand_in():
        apart = with_own_weights(vlm)
        spread(apart.hf)
        assert apart.hf.device == DEVICE
        found = ran(apart, tiny.size_px)
    assert found[0] == text
    assert torch.equal(found[1], kept)
    torch.testing.assert_close(found[2], weights, rtol=1e-3, atol=1e-5)


def test_an_llm_on_two_devices_keeps_its_layers_together(tmp_path):
    TINY_VLMS["llava"].build(tmp_path)
    vlm = with_own_weights(load_vlm(str(tmp_path), device="cpu"))
    vlm.hf.hf_device_map = {"model.vision_tower": 0, "model.language_model": 1}
    with pytest.raises(ModelError, match="on 2 devices") as error, vlm.in_llm(layer=1):
        pass
    assert "\n" not in str(error.value)
