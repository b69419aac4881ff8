import json
from dataclasses import asdict, replace
from itertools import permutations

import pytest
import torch
from pydantic import TypeAdapter
from torch.nn.functional import adaptive_avg_pool3d

from framesift.errors import InvalidOptionError, InvalidTokensError
from framesift.nn.time_perceiver import TimePerceiver, TimePerceiverConfig

CONFIG = TimePerceiverConfig(width=32, grid=(6, 8), out_grid=(3, 4), head_dim=8)
GRIDS = [
    ((28, 28), (7, 7)),
    ((27, 27), (7, 7)),
    ((14, 14), (7, 7)),
    ((8, 8), (4, 4)),
    ((10, 3), (7, 2)),
    ((5, 5), (5, 5)),
    ((4, 4), (1, 1)),
]


def network(*, trained=False, **changes):
    """A network as it is before training, or with weights as training could leave them."""
    torch.manual_seed(0)
    made = TimePerceiver(replace(CONFIG, **changes)).eval()
    if trained:
        with torch.no_grad():
            for value in made.parameters():
                value.add_(0.1 * torch.randn_like(value))
    return made


def tokens(segments, frames, config=CONFIG, *, seed=1, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    shape = (segments, frames, config.tokens, config.width)
    return torch.randn(shape, generator=generator).to(dtype)


def some_live(shape, *, seed=2):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.6


def windows(made):
    """Which tokens of a frame each window has, bool `(K, N)`."""
    return torch.kron(made.row_shares, made.column_shares) > 0


def means(frames, config):
    """What the pooling of torch gives, `(S, K, D)`."""
    grid = frames.unflatten(2, config.grid).permute(0, 4, 1, 2, 3).float()
    return adaptive_avg_pool3d(grid, (1, *config.out_grid)).flatten(2).transpose(1, 2)


@torch.no_grad()
@pytest.mark.parametrize(("grid", "out_grid"), GRIDS)
@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_before_training_it_is_average_pooling(grid, out_grid, frames):
    made = network(grid=grid, out_grid=out_grid)
    given = tokens(3, frames, made.config)
    torch.testing.assert_close(made(given), means(given, made.config), rtol=0, atol=1e-6)


@torch.no_grad()
def test_before_training_it_is_the_mean_of_the_live_tokens_of_each_window():
    made, given = network(), tokens(2, 3)
    live = some_live(given.shape[:-1])
    inside = windows(made)
    expected = torch.stack(
        [
            torch.stack([given[s][live[s] & window].mean(0) for window in inside])
            for s in range(len(given))
        ]
    )
    torch.testing.assert_close(made(given, live), expected, rtol=0, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_close(trained, dtype):
    made = network(trained=trained, grid=(27, 27), out_grid=(7, 7))
    given = tokens(2, 4, made.config, dtype=dtype)
    expected = made(given.float())
    actual = made.to(dtype)(given)
    assert actual.dtype == dtype
    error = (actual.float() - expected).abs().max() / expected.std()
    assert error < {torch.float16: 0.02, torch.bfloat16: 0.12}[dtype]


@torch.no_grad()
def test_large_features_do_not_overflow_half_precision():
    made = network(grid=(28, 28), out_grid=(1, 1)).half()
    given = torch.full((1, 4, 784, 32), 6e4, dtype=torch.float16)
    torch.testing.assert_close(made(given), torch.full((1, 1, 32), 6e4).half())


@torch.no_grad()
def test_the_weights_say_in_what_it_computes_and_the_tokens_in_what_it_answers():
    made, given = network(trained=True), tokens(1, 2)
    assert made.half()(given).dtype == torch.float32
    torch.testing.assert_close(
        made.float()(given.half()), made(given), rtol=0, atol=2e-2, check_dtype=False
    )


@pytest.mark.parametrize("latents_in_kv", [False, True])
def test_gradients_reach_every_parameter(latents_in_kv):
    made = network(trained=True, latents_in_kv=latents_in_kv)
    given = tokens(2, 4).requires_grad_()
    made(given).square().sum().backward()
    still = [name for name, value in made.named_parameters() if not value.grad.abs().max() > 0]
    assert still == []
    # Each latent and each place, not a few of them.
    assert bool((made.latents.grad.abs().amax(1) > 0).all())
    assert bool((made.places.grad.abs().amax(1) > 0).all())
    assert bool((given.grad.abs() > 0).any(-1).all())


def test_two_steps_of_training_move_every_parameter_from_its_start():
    made, given = network(), tokens(2, 4)
    target = torch.randn(2, CONFIG.tokens_out, CONFIG.width)
    before = {name: value.detach().clone() for name, value in made.named_parameters()}
    step = torch.optim.SGD(made.parameters(), lr=0.1)
    for _ in range(2):  # the first moves what is zero, behind which the rest hides
        step.zero_grad()
        (made(given) - target).square().mean().backward()
        step.step()
    same = [name for name, value in made.named_parameters() if torch.equal(value, before[name])]
    assert same == []


@torch.no_grad()
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("padding", [0.0, 1e4, float("nan"), float("inf")])
def test_masked_frames_equal_the_shorter_segment(trained, frames, padding):
    made, given = network(trained=trained), tokens(2, 4)
    given[:, frames:] = padding
    live = torch.zeros(given.shape[:-1], dtype=torch.bool)
    live[:, :frames] = True
    torch.testing.assert_close(made(given, live), made(given[:, :frames]), rtol=0, atol=1e-6)


@torch.no_grad()
def test_what_masked_tokens_hold_has_no_influence():
    made, given = network(trained=True), tokens(2, 4)
    live = some_live(given.shape[:-1])
    other = given.where(live[..., None], torch.nan)
    assert torch.equal(made(given, live), made(other, live))


@torch.no_grad()
def test_a_masked_first_frame_leaves_the_others_at_their_places():
    made, given = network(trained=True), tokens(1, 4)
    live = torch.ones(given.shape[:-1], dtype=torch.bool)
    live[:, 0] = False
    moved = network(trained=True)
    moved.places[:3] = made.places[1:]
    torch.testing.assert_close(made(given, live), moved(given[:, 1:]), rtol=0, atol=1e-6)
    assert (made(given, live) - made(given[:, 1:])).abs().max() > 1e-3


@torch.no_grad()
def test_a_batch_equals_one_segment_at_a_time():
    made, given = network(trained=True), tokens(5, 4)
    live = some_live(given.shape[:-1])
    live[0, 2:] = False
    alone = torch.cat([made(given[i : i + 1], live[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(made(given, live), alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_order_of_frames_counts_by_their_places_alone():
    made, given = network(trained=True), tokens(2, 3)
    orders = [list(order) for order in permutations(range(3)) if order != (0, 1, 2)]
    for order in orders:
        assert (made(given[:, order]) - made(given)).abs().max() > 1e-3
    made.places.zero_()
    for order in orders:
        torch.testing.assert_close(made(given[:, order]), made(given), rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_window_without_tokens_gives_zeros_that_nobody_reads():
    made, given = network(trained=True), tokens(1, 2)
    live = torch.ones(given.shape[:-1], dtype=torch.bool)
    live[:, :, windows(made)[5]] = False
    before = made(given, live)
    assert not before[:, 5].any()
    assert bool(before[:, [i for i in range(12) if i != 5]].abs().amin() > 0)
    made.latents[5] = 5 * torch.randn(CONFIG.width)
    assert torch.equal(made(given, live), before)


def test_a_segment_without_tokens_gives_zeros_and_no_gradient_that_is_not_a_number():
    made, given = network(trained=True), tokens(2, 2)
    live = torch.ones(given.shape[:-1], dtype=torch.bool)
    live[1] = False
    out = made(given, live)
    assert not out[1].any()
    torch.testing.assert_close(out[:1], made(given[:1]), rtol=0, atol=1e-5)
    out.sum().backward()
    assert all(bool(value.grad.isfinite().all()) for value in made.parameters())


@torch.no_grad()
def test_queries_see_each_other_only_where_it_is_wanted():
    for latents_in_kv in (False, True):
        made, given = network(trained=True, latents_in_kv=latents_in_kv, depth=1), tokens(1, 2)
        before = made(given)
        made.latents[3] = 5 * torch.randn(CONFIG.width)
        others = [i for i in range(CONFIG.tokens_out) if i != 3]
        changed = (made(given) - before)[:, others].abs().max() > 1e-5
        assert bool(changed) == latents_in_kv


@torch.no_grad()
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_gpu_gives_what_the_cpu_gives(dtype):
    made = network(trained=True, grid=(27, 27), out_grid=(7, 7))
    given = tokens(3, 4, made.config).to(dtype).float()
    live = some_live(given.shape[:-1])
    live[1, 2:], live[2] = False, False
    expected = made(given, live)
    actual = made.to("cuda", dtype)(given.to("cuda", dtype), live.cuda())
    error = (actual.float().cpu() - expected).abs().max() / expected.std()
    assert error < {torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.12}[dtype]


@torch.no_grad()
def test_no_segments_give_no_tokens():
    assert network()(tokens(0, 4)).shape == (0, 12, 32)


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ((1, 4, 48, 16), r"takes tokens \(S, F, 48, 32\) of a grid \(6, 8\).*are \(1, 4, 48, 16\)"),
        ((1, 4, 49, 32), r"are \(1, 4, 49, 32\); use the encoder"),
        ((4, 48, 32), r"are \(4, 48, 32\)"),
        ((1, 5, 48, 32), r"has 5 frames, and the network takes 1 to 4 \(frames_max\)"),
        ((1, 0, 48, 32), r"has 0 frames"),
    ],
)
def test_other_tokens_are_refused_in_one_line(shape, line):
    with pytest.raises(InvalidTokensError, match=line) as error:
        network()(torch.zeros(shape))
    assert "\n" not in str(error.value)


def test_whole_numbers_are_refused_since_outputs_would_be_cut_to_them():
    with pytest.raises(InvalidTokensError, match=r"must be floating point, and are torch\.int32"):
        network()(tokens(1, 2).int())


@pytest.mark.parametrize(
    "live", [torch.ones(1, 2, 48), torch.ones(1, 2, 47, dtype=torch.bool)], ids=["float", "short"]
)
def test_a_mask_of_another_kind_is_refused(live):
    with pytest.raises(InvalidTokensError, match=r"live must be bool \(1, 2, 48\)"):
        network()(tokens(1, 2), live)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"head_dim": 7}, r"width=32 must be a multiple of head_dim=7"),
        ({"out_grid": (7, 4)}, r"out_grid=\(7, 4\) must not exceed grid=\(6, 8\)"),
        ({"depth": 0}, r"depth=0 must be"),
        ({"grid": (6,)}, r"grid=\(6,\) must be"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(changes, line):
    with pytest.raises(InvalidOptionError, match=line):
        replace(CONFIG, **changes)


def test_a_configuration_survives_json():
    written = json.loads(json.dumps(asdict(CONFIG)))
    assert TypeAdapter(TimePerceiverConfig).validate_python(written) == CONFIG


def test_the_published_size_has_about_thirty_two_million_weights():
    with torch.device("meta"):
        made = TimePerceiver(TimePerceiverConfig(width=1152, grid=(28, 28)))
    assert sum(value.numel() for value in made.parameters()) == pytest.approx(32e6, rel=0.02)
    assert (made.config.tokens, made.config.tokens_out, made.config.heads) == (784, 49, 18)
