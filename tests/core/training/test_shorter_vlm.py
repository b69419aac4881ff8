import pytest
import torch

from framesift import VideoCompressor, load_vlm
from framesift.errors import InvalidOptionError
from framesift.training import shorter_vlm
from framesift.training.healing import HealingRecipe
from framesift.training.shorter_vlm import shorten, take_out
from framesift.vlms.tiny import FOLDER

URI = "synthetic://number?seconds=8&seed=3&width=160&height=90&fps=4"


@pytest.fixture
def model():
    transformers = pytest.importorskip("transformers")
    return transformers.LlavaForConditionalGeneration.from_pretrained(FOLDER, dtype=torch.float32)


def test_a_layer_is_gone_and_the_others_are_as_they_were(model):
    before = [layer.mlp.up_proj.weight.clone() for layer in model.model.language_model.layers]
    take_out(model, 1)
    after = [layer.mlp.up_proj.weight for layer in model.model.language_model.layers]
    assert [any(torch.equal(one, other) for other in after) for one in before] == [
        True,
        False,
        True,
        True,
    ]
    assert [layer.self_attn.layer_idx for layer in model.model.language_model.layers] == [0, 1, 2]
    assert model.config.text_config.num_hidden_layers == 3


@pytest.mark.parametrize("layer", [4, 9])
def test_a_layer_that_is_not_there_is_refused(model, layer):
    with pytest.raises(InvalidOptionError, match=rf"layer={layer} must be from 0 to 3"):
        take_out(model, layer)


def test_the_last_layer_left_is_not_taken_out(model):
    for _ in range(3):
        take_out(model, 0)
    with pytest.raises(InvalidOptionError, match="beside another one"):
        take_out(model, 0)


@pytest.mark.slow
def test_the_shorter_model_answers_and_shares_the_tower(tmp_path, monkeypatch):
    lines = []
    recipe = HealingRecipe(clips=4, steps=2, batch=2)
    monkeypatch.setattr(shorter_vlm, "FIRST_SEED", 7)
    out = shorten(FOLDER, tmp_path / "out", recipe, work=tmp_path / "work", announce=lines.append)
    shorter, whole = load_vlm(str(out), device="cpu"), load_vlm("tiny", device="cpu")
    assert len(shorter.hf.model.language_model.layers) == 3
    answer = VideoCompressor(vlm=shorter, keep=1.0).ask(URI, "What number flashes?")
    assert answer.usage.answer_tokens >= 1
    theirs, ours = (vlm.hf.model.vision_tower.state_dict() for vlm in (whole, shorter))
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    assert len(lines) == 2
