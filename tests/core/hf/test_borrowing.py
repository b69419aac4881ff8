"""Packed towers attend at skipped places to what was encoded there last, in every kind of pass."""

import pytest
import torch

from framesift.hf.attention import borrowing
from framesift.hf.borrowing import KeptKeys, PackedFrames, WholeFrames
from framesift.hf.probe import watch
from framesift.testing import assert_near

transformers = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 24,
    "patch_size": 4,
}
FRAMES = 9


@pytest.fixture(scope="module", params=["clip-sdpa", "clip-eager", "siglip-sdpa", "siglip-eager"])
def tower(request):
    kind, attention = request.param.split("-")
    name = {"clip": "CLIPVision", "siglip": "SiglipVision"}[kind]
    config = getattr(transformers, f"{name}Config")(**SIZES)
    torch.manual_seed(3)
    model = getattr(transformers, f"{name}Model")._from_config(
        config, attn_implementation=attention
    )
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


@pytest.fixture(scope="module")
def embedded(tower):
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randn(FRAMES, 3, 24, 24, generator=generator)
    with torch.no_grad():
        hidden = tower.embeddings(pixels)
        return tower.pre_layrnorm(hidden) if hasattr(tower, "pre_layrnorm") else hidden


@pytest.fixture(scope="module")
def encoded(embedded):
    """Of some frames all places are encoded, of some nearly none; place 0 of each one."""
    shares = torch.tensor([1, 0.5, 0.1, 0, 0.9, 1, 0.3, 0.3, 0.05])[:, None]
    generator = torch.Generator().manual_seed(7)
    chosen = torch.rand(embedded.shape[:2], generator=generator) < shares
    chosen[:, 0] = True
    return chosen


def layers_of(tower, hidden):
    for layer in tower.encoder.layers:
        hidden = layer(hidden, None)
    return hidden


@torch.no_grad()
def packed(tower, hidden, encoded, keys):
    keys.packing = PackedFrames(encoded, hidden.device, first=keys.empty)
    with borrowing(tower.config, keys):
        return layers_of(tower, keys.packing.gather(hidden))[0]


@torch.no_grad()
def whole(tower, hidden, keys):
    keys.packing = WholeFrames(*hidden.shape[:2])
    with borrowing(tower.config, keys):
        return layers_of(tower, hidden).flatten(0, 1)


@torch.no_grad()
def by_hand(tower, hidden, encoded):
    """Frame by frame, with the keys and values of all places in a table of each layer."""
    tables, found = {}, []
    for frame, chosen in zip(hidden, encoded, strict=True):
        rows = frame[chosen]
        for number, layer in enumerate(tower.encoder.layers):
            attention, normed = layer.self_attn, layer.layer_norm1(rows)
            keys, values = tables.setdefault(number, [torch.zeros_like(frame) for _ in range(2)])
            keys[chosen], values[chosen] = attention.k_proj(normed), attention.v_proj(normed)
            query, key, value = (
                each.unflatten(-1, (attention.num_heads, -1)).transpose(0, 1)
                for each in (attention.q_proj(normed), keys, values)
            )
            weights = (query @ key.transpose(1, 2) * attention.scale).softmax(-1)
            rows = rows + attention.out_proj((weights @ value).transpose(0, 1).flatten(1))
            rows = rows + layer.mlp(layer.layer_norm2(rows))
        found.append(rows)
    return torch.cat(found)


def test_all_places_packed_are_to_the_bit_what_the_tower_gives(tower, embedded):
    everything = torch.ones(embedded.shape[:2], dtype=torch.bool)
    before = tower.config._attn_implementation
    tower.config._attn_implementation = "sdpa"
    try:
        with torch.no_grad():
            own = layers_of(tower, embedded).flatten(0, 1)
    finally:
        tower.config._attn_implementation = before
    assert torch.equal(packed(tower, embedded, everything, KeptKeys()), own)
    assert torch.equal(whole(tower, embedded, KeptKeys()), own)
    assert tower.config._attn_implementation == before


def test_skipped_places_lend_what_they_had(tower, embedded, encoded):
    found = packed(tower, embedded, encoded, KeptKeys())
    assert len(found) == int(encoded.sum())
    assert_near(found, by_hand(tower, embedded, encoded))


@pytest.mark.parametrize("cuts", [[1], [3, 4], [5, 6], list(range(1, FRAMES))])
def test_where_passes_end_changes_nothing(tower, embedded, encoded, cuts):
    keys, found = KeptKeys(), []
    for start, stop in zip([0, *cuts], [*cuts, FRAMES], strict=True):
        part = slice(start, stop)
        if encoded[part].all():
            found.append(whole(tower, embedded[part], keys))
        else:
            found.append(packed(tower, embedded[part], encoded[part], keys))
    assert_near(torch.cat(found), packed(tower, embedded, encoded, KeptKeys()))


def test_windows_attend_to_themselves_alone(tower, embedded, encoded):
    """Ragged ones, each of which is as if its places were all of the frame."""
    places = embedded.shape[1]
    windows = torch.arange(places) * 5 // places
    windows[3] = 4
    everywhere = encoded.clone()
    everywhere[:, torch.arange(0, places, 4)] = True
    found = torch.zeros_like(embedded)
    found[everywhere] = packed(tower, embedded, everywhere, KeptKeys(lambda module: windows))
    alone = torch.zeros_like(embedded)
    for number in range(5):
        members = windows == number
        chosen = everywhere[:, members]
        used = chosen.any(1)
        rows = packed(tower, embedded[:, members][used], chosen[used], KeptKeys())
        part = torch.zeros_like(embedded[:, members])
        part[chosen] = rows
        alone[:, members] = part
    assert_near(found, alone)


def test_listeners_hear_whole_frames_in_order(tower, embedded, encoded):
    module = tower.encoder.layers[1].self_attn
    with watch(module) as seen:
        packed(tower, embedded, encoded, KeptKeys())
    assert seen.attention.shape == encoded.shape
    assert_near(seen.attention.sum(1), torch.ones(FRAMES))
    with watch(module) as first:
        whole(tower, embedded[:1], KeptKeys())
    assert_near(seen.attention[:1], first.attention)
    with watch(module) as parted:
        keys = KeptKeys()
        for part in (slice(0, 2), slice(2, FRAMES)):
            packed(tower, embedded[part], encoded[part], keys)
    assert_near(parted.attention, seen.attention)
    assert_near(parted.keys, seen.keys)


def test_a_listener_may_leave_in_mid_video_but_not_come(tower, embedded, encoded):
    module = tower.encoder.layers[1].self_attn
    keys = KeptKeys()
    with watch(module):
        first = packed(tower, embedded[:2], encoded[:2], keys)
    second = packed(tower, embedded[2:], encoded[2:], keys)
    assert_near(torch.cat([first, second]), packed(tower, embedded, encoded, KeptKeys()))
    late = KeptKeys()
    packed(tower, embedded[:2], encoded[:2], late)
    with watch(module), pytest.raises(ValueError, match="a listener came after the first frame"):
        packed(tower, embedded[2:], encoded[2:], late)


def test_a_pass_of_no_known_kind_is_refused(tower, embedded):
    with borrowing(tower.config, KeptKeys()), pytest.raises(ValueError, match="packing must be"):
        layers_of(tower, embedded)


def test_a_first_frame_that_is_not_whole_is_refused(tower, embedded, encoded):
    with pytest.raises(ValueError, match="every place of the first frame"):
        packed(tower, embedded[1:], encoded[1:], KeptKeys())


def test_a_mask_cannot_be_borrowed(tower, embedded):
    mask = torch.ones(1, 1, embedded.shape[1], embedded.shape[1], dtype=torch.bool)
    layer, keys = tower.encoder.layers[0], KeptKeys()
    with borrowing(tower.config, keys), pytest.raises(ValueError, match="mask"):
        layer(embedded[:1], mask)
