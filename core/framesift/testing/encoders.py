"""The promises of every encoder, whatever it looks for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from framesift.encoders import registry
from framesift.encoders.base import Encoder
from framesift.errors import MissingSignalError
from framesift.testing._still import StillPromises
from framesift.testing._suite import PartPromises
from framesift.testing.rounding import STEPS, assert_near
from framesift.testing.samples import random_frames
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

SIZES = [(64, 64), (448, 448), (61, 97), (7, 5), (240, 320), (900, 31)]


def assert_same(first: VideoTokens, second: VideoTokens, *, steps: int = 0) -> None:
    """Passes where tokens, their times and their signals differ by rounding steps at most."""
    assert_near(first.features, second.features, steps=steps)
    torch.testing.assert_close(first.pts_seconds, second.pts_seconds, rtol=0, atol=0)
    signals, others = first.signals.present(), second.signals.present()
    assert signals.keys() == others.keys()
    for name, value in signals.items():
        assert_near(value, others[name], steps=steps)


def check_signals_by_need(encoder: Encoder, frames: Frames) -> None:
    """Passes where signals and features do not depend, to the bit, on which signals are wanted."""
    whole = encoder.encode(frames)
    everything = whole.signals.present()
    for names in [frozenset[str](), *({name} for name in everything), encoder.gives]:
        tokens = encoder.encode(frames, frozenset(names))
        found = tokens.signals.present()
        assert found.keys() == names, f"asked for {sorted(names)}, got {sorted(found)}"
        assert torch.equal(tokens.features, whole.features), f"other features with {sorted(names)}"
        for name, value in found.items():
            assert torch.equal(value, everything[name]), f"{name} alone is not what all give"


def check_unknown_signal(encoder: Encoder, frames: Frames) -> None:
    """Passes where a signal that the encoder does not give is named and refused."""
    with pytest.raises(MissingSignalError, match="no_such_signal") as error:
        encoder.encode(frames, frozenset({"no_such_signal"}))
    assert "\n" not in str(error.value)


class EncoderContract(StillPromises, PartPromises):
    """The promised grid, finite tokens, independent windows: what every encoder promises.

        class TestMine(EncoderContract):
            spec = "mine:option=1"  # or an instance, or a class that needs no options

    An encoder that loads a checkpoint overrides the fixture `part`, and can take its weights from
    `tiny_tower`.
    """

    registry = registry

    @pytest.fixture
    def encoder(self, part: Encoder) -> Encoder:
        """The encoder under test, as `part` makes it."""
        return part

    def test_it_is_an_encoder(self, encoder: Encoder) -> None:
        """It derives from `Encoder`."""
        assert isinstance(encoder, Encoder)

    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_frames_of_any_size_give_the_promised_shape(
        self, encoder: Encoder, size: tuple[int, int]
    ) -> None:
        """Frames of any size give finite tokens on the promised grid, none of them zero."""
        frames = random_frames(size_px=size)
        tokens = encoder.encode(frames)
        height, width = encoder.grid
        assert tokens.grid == encoder.grid, f"frames of {size} pixels change the grid"
        assert tokens.features.shape[:2] == (4, height * width)
        assert tokens.features.is_floating_point()
        assert torch.isfinite(tokens.features).all(), f"NaN or infinity of frames of {size} pixels"
        assert tokens.features.norm(dim=-1).min() > 0, f"a token of zeros, of frames of {size}"
        assert tokens.mask is None
        assert tokens.pts_seconds.tolist() == frames.pts_seconds.tolist()

    def test_signals_are_those_it_gives(self, encoder: Encoder) -> None:
        """`gives` names exactly the signals that come out; each is finite and within its range."""
        tokens = encoder.encode(random_frames())
        signals = tokens.signals.present()
        assert signals.keys() == encoder.gives, f"gives={set(encoder.gives)}"
        for name, value in signals.items():
            assert value.shape[:2] == tokens.features.shape[:2], name
            assert value.is_floating_point(), name
            assert torch.isfinite(value).all(), f"NaN or infinity in {name}"
        for name in {"edge_density", "contrast"} & signals.keys():
            assert 0 <= signals[name].min() <= signals[name].max() <= 1, f"{name} is beyond 0..1"
        for name in {"edge_density", "attention"} & signals.keys():
            assert signals[name].shape == tokens.features.shape[:2], name
        if "attention" in signals:
            assert signals["attention"].min() >= 0
            assert signals["attention"].sum(-1).max() <= 1 + 1e-5, "shares of more than the whole"

    def test_signals_that_are_asked_for_are_those_of_all(self, encoder: Encoder) -> None:
        """A call fills the signals that it is asked for, equal to those of asking for all.

        The features are the same whatever is asked for.
        """
        check_signals_by_need(encoder, random_frames())

    def test_a_signal_that_it_does_not_give_is_refused(self, encoder: Encoder) -> None:
        """A wrong name is refused in a line that names it."""
        check_unknown_signal(encoder, random_frames(1))

    def test_the_same_frames_give_the_same_tokens_to_the_bit(self, encoder: Encoder) -> None:
        """Encoding twice gives equal tokens."""
        frames = random_frames()
        assert_same(encoder.encode(frames), encoder.encode(frames))

    def test_an_equal_encoder_gives_the_same_tokens(self, encoder: Encoder) -> None:
        """Another instance with the same options gives equal tokens."""
        twin = self.twin(encoder)
        assert twin == encoder
        assert_same(encoder.encode(random_frames()), twin.encode(random_frames()))

    def test_one_frame_is_enough(self, encoder: Encoder) -> None:
        """A window may hold one frame."""
        assert encoder.encode(random_frames(1)).frame_count == 1

    @pytest.mark.parametrize("cut", [1, 2, 3])
    def test_windows_are_independent(self, encoder: Encoder, cut: int) -> None:
        """A frame's tokens do not depend on the other frames of its window."""
        frames = random_frames(size_px=encoder.input_px)
        whole = encoder.encode(frames)
        assert_same(encoder.encode(frames[:cut]), whole.frames(range(cut)), steps=STEPS)
        assert_same(encoder.encode(frames[cut:]), whole.frames(range(cut, 4)), steps=STEPS)

    def test_more_frames_than_a_batch_keep_their_order(self, encoder: Encoder) -> None:
        """The tokens of 20 frames come in the order of the frames."""
        frames = random_frames(20, size_px=encoder.input_px)
        alone = encoder.encode(frames[17:18])
        many = encoder.encode(frames)
        assert_near(many.features[17:18], alone.features)

    def test_a_still_clip_gives_equal_tokens(self, encoder: Encoder) -> None:
        """Equal frames give equal tokens: nothing depends on time."""
        still = random_frames(1).data.repeat(5, axis=0)
        frames = Frames(data=still, pts_seconds=np.arange(5.0), indices=np.arange(5))
        tokens = encoder.encode(frames)
        assert_near(tokens.features, tokens.features[:1].expand_as(tokens.features))

    def test_a_change_is_seen_in_its_place(self, encoder: Encoder) -> None:
        """Tokens are in reading order: a change in the upper right changes the upper right one."""
        frames = random_frames(2, size_px=encoder.input_px)
        (rows, columns), (height, width) = encoder.grid, encoder.input_px
        frames.data[1] = frames.data[0]
        frames.data[1, : height // rows, -(width // columns) :] = 255
        features = encoder.encode(frames).features.float()
        change = (features[1] - features[0]).norm(dim=-1).reshape(rows, columns)
        assert change[0, -1] > 0.8 * change.max(), "the token of the change changed too little"
        if (far := change[2:, :-2]).numel():
            assert change[0, -1] > far.max(), "a token far from the change changed as much"

    def test_frames_are_left_as_they_were(self, encoder: Encoder) -> None:
        """Encoding writes nothing into the frames, which may be read-only."""
        frames = random_frames(size_px=encoder.input_px)
        before = frames.data.copy(), frames.pts_seconds.copy()
        for array in (frames.data, frames.pts_seconds, frames.indices):
            array.setflags(write=False)
        encoder.encode(frames)
        assert np.array_equal(frames.data, before[0])
        assert np.array_equal(frames.pts_seconds, before[1])

    def test_tokens_do_not_share_memory_with_frames(self, encoder: Encoder) -> None:
        """Tokens stay as they are when the frames are written over."""
        frames = random_frames(size_px=encoder.input_px)
        tokens = encoder.encode(frames)
        features, seconds = tokens.features.clone(), tokens.pts_seconds.clone()
        frames.data[:] = 0
        frames.pts_seconds[:] = 0
        assert torch.equal(tokens.features, features), "tokens.features are a view of the frames"
        assert torch.equal(tokens.pts_seconds, seconds), "tokens.pts_seconds are a view"

    def test_no_gradient_is_recorded(self, encoder: Encoder) -> None:
        """Tokens hold no graph of how they were computed."""
        assert not encoder.encode(random_frames()).features.requires_grad, "use torch.no_grad()"
