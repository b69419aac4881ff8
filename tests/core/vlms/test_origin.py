"""Which model made the tokens of a video: fingerprints of checkpoints, and names of models."""

import pytest
import torch
from safetensors.torch import save_file

from framesift.vlms.load import load_vlm
from framesift.vlms.origin import WHOLE_BYTES, fingerprint, maker_of


def test_samples_of_large_weights_see_further_training(tmp_path):
    weights = {"a": torch.zeros(WHOLE_BYTES // 4 + 1)}
    (tmp_path / "config.json").write_text("{}")
    save_file(weights, tmp_path / "model.safetensors")
    before = fingerprint(str(tmp_path))
    assert fingerprint(str(tmp_path)) == before
    save_file({"a": weights["a"] + 1e-3}, tmp_path / "model.safetensors")
    assert fingerprint(str(tmp_path)) != before


def test_a_hub_id_that_is_not_here_has_a_fingerprint_of_its_name():
    assert fingerprint("nobody/nothing") != fingerprint("nobody/else")


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("tiny", "tiny"),
        ("llava:model=llava-hf/llava-1.5-7b-hf", "llava-hf/llava-1.5-7b-hf"),
        ("llava:dtype=float16,model=/home/me/llava-7b", "llava-7b"),
        ("llava:model=[/home/me/a,b]", "a"),
        ("clip:batch_size=2", "clip"),
    ],
)
def test_a_maker_is_named_without_its_folder(spec, name):
    assert maker_of(spec) == name


def test_the_fingerprint_of_a_model_is_that_of_its_tower():
    vlm = load_vlm("tiny")
    assert vlm.weights == vlm.encoder.weights == fingerprint(vlm.model)
