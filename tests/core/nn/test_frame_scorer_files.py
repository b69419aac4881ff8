import json

import pytest
import torch
from safetensors.torch import load_file, save

pytest.importorskip("transformers")

from framesift.errors import ModelError
from framesift.nn.frame_scorer import FrameScorer
from framesift.nn.frame_scorer_config import FrameScorerConfig
from framesift.nn.frame_scorer_files import (
    FRAME_SCORERS,
    FrameScorerCard,
    FrozenTower,
    load_frame_scorer,
    save_frame_scorer,
)
from framesift.nn.frame_scorer_input import FrameScorerInput
from framesift.vlms.load import load_vlm


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    vlm = load_vlm("tiny")
    config = FrameScorerConfig(
        llm={
            "vocab_size": 611,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
        },
        tower_width=6,
        grid=(4, 4),
        head="query_key",
        before=(2,),
    )
    torch.manual_seed(0)
    network = FrameScorer(config).eval()
    tower = FrozenTower(encoder="tiny", of_vlm=True, fingerprint=vlm.weights)
    card = FrameScorerCard(network=config, tower=tower, trained_on="synthetic://")
    folder = tmp_path_factory.mktemp("scorer") / "made"
    return save_frame_scorer(network, card, vlm.tokenizer, folder), network, card


def copied(folder, there, **changes):
    """A copy of a folder with other values in its config.json."""
    there.mkdir()
    for path in folder.iterdir():
        (there / path.name).write_bytes(path.read_bytes())
    config = json.loads((there / "config.json").read_text())
    (there / "config.json").write_text(json.dumps({**config, **changes}))
    return there


@torch.no_grad()
def test_what_is_saved_scores_the_same(saved):
    folder, network, card = saved
    loaded = load_frame_scorer(folder, device="cpu", dtype="float32")
    assert loaded.card == card
    given = FrameScorerInput(
        features=torch.randn(1, 5, 16, 6),
        frames=torch.tensor([5]),
        text=torch.tensor([[7, 8, 9]]),
        lengths=torch.tensor([3]),
        asked=torch.tensor([3]),
    )
    torch.testing.assert_close(loaded.network(given), network(given), rtol=2e-2, atol=2e-3)
    assert not loaded.network.training


def test_weights_are_kept_in_half_precision(saved):
    weights = load_file(saved[0] / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}


def test_a_folder_without_a_scorer_is_refused_in_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"holds no config\.json of a frame scorer") as error:
        FRAME_SCORERS.read_card(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"kind": "llava"}, "of kind 'llava'"),
        ({"version": 2}, "version 2"),
        ({"tower": {"encoder": "tiny"}}, "does not describe a frame scorer"),
        ({"network": 3}, "does not describe a frame scorer"),
    ],
)
def test_another_configuration_is_refused_in_one_line(saved, tmp_path, changes, line):
    with pytest.raises(ModelError, match=line) as error:
        FRAME_SCORERS.read_card(copied(saved[0], tmp_path / "other", **changes))
    assert "\n" not in str(error.value)


def test_weights_of_another_number_of_frames_are_refused(saved, tmp_path):
    config = json.loads((saved[0] / "config.json").read_text())
    network = {**config["network"], "head": "mlp", "candidates": 16}
    folder = copied(saved[0], tmp_path / "other", network=network)
    with pytest.raises(ModelError, match=r"does not fit its config\.json, such as in 'head\."):
        load_frame_scorer(folder, device="cpu", dtype="float32")


def test_weights_that_are_not_there_are_named(saved, tmp_path):
    folder = copied(saved[0], tmp_path / "other")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no readable model\.safetensors"):
        load_frame_scorer(folder, device="cpu", dtype="float32")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_neither_loaded_nor_saved(saved, tmp_path, value):
    made, _, card = saved
    folder = copied(made, tmp_path / "other")
    weights = {name: each.clone() for name, each in load_file(made / "model.safetensors").items()}
    weights["query"].view(-1)[0] = value
    (folder / "model.safetensors").write_bytes(save(weights))
    with pytest.raises(ModelError, match=r"not a finite number, such as in 'query'"):
        load_frame_scorer(folder, device="cpu", dtype="float32")
    astray = FrameScorer(card.network)
    astray.load_state_dict({name: each.float() for name, each in weights.items()})
    with pytest.raises(ModelError, match=r"went astray: 'query'.*smaller learning rate"):
        save_frame_scorer(astray, card, None, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_weights_that_were_cut_off_are_named(saved, tmp_path):
    folder = copied(saved[0], tmp_path / "other")
    whole = (folder / "model.safetensors").read_bytes()
    for kept in (0, 7, 100, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:kept])
        with pytest.raises(ModelError, match=r"no readable model\.safetensors"):
            load_frame_scorer(folder, device="cpu", dtype="float32")
