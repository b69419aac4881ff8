"""Blank frames are taken when nothing else is left; what is unseen comes before a repetition."""

import re
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest
import torch

import framesift
from framesift.encoders import registry as encoders
from framesift.selectors import registry
from framesift.testing.selectors import make_candidates
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

SIZE = (180, 320)
RULES = ["keyframes", "scene"]


def flat(*color):
    return np.full((*SIZE, 3), color, np.uint8)


def pictured(seed=1):
    """Soft shapes in many colours, a little of them moved by the seed."""
    random = np.random.default_rng(0)
    image = cv2.resize(
        random.integers(0, 256, (9, 16, 3)).astype(np.uint8), SIZE[::-1], interpolation=2
    )
    cv2.circle(image, (20 + 30 * seed % 280, 90), 20, (255, 255, 255), -1)
    return image


def written(image, text="The end", scale=0.45, color=(255, 255, 255)):
    image = image.copy()
    cv2.putText(image, text, (90, 100), cv2.FONT_HERSHEY_SIMPLEX, scale, color, 1, cv2.LINE_AA)
    return image


def grainy(image, levels=10):
    noise = np.random.default_rng(0).integers(-levels, levels + 1, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def boxed(image, rows=23, columns=0):
    image = image.copy()
    image[:rows] = image[len(image) - rows :] = 0
    image[:, :columns] = image[:, image.shape[1] - columns :] = 0
    return image


def tokens_of(images):
    frames = Frames(
        data=np.stack(images),
        pts_seconds=np.arange(float(len(images))),
        indices=np.arange(len(images)),
    )
    return encoders.create("handcrafted").encode(frames)


def pick(rule, images, count):
    tokens = tokens_of(images)
    return registry.create(rule).select(make_candidates(tokens), count)


BLANK = {
    "black": flat(0, 0, 0),
    "video black": flat(16, 16, 16),
    "white": flat(255, 255, 255),
    "blue": flat(10, 20, 200),
    "grain": grainy(flat(14, 14, 14)),
    "within bars": boxed(flat(200, 200, 200)),
    "between bars": boxed(flat(90, 120, 90), 0, 40),
    "the darkest part of a fade": (pictured() * 0.02).astype(np.uint8),
}
SHOWN = {
    "title card": written(flat(0, 0, 0)),
    "small text on a flat slide": written(flat(255, 255, 255), "p. 3", 0.4, (90, 90, 90)),
    "slide within bars": boxed(written(flat(240, 240, 250), color=(0, 0, 0))),
    "picture": pictured(),
    "night": (pictured() * 0.15).astype(np.uint8),
    "white square on black": boxed(flat(255, 255, 255), 60, 120),
    "two colours": np.concatenate([flat(0, 0, 0)[:90], flat(200, 0, 0)[:90]]),
    "gradient": np.linspace(0, 80, 320).astype(np.uint8)[None, :, None].repeat(180, 0).repeat(3, 2),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", [*BLANK, *SHOWN])
def test_what_is_blank(rule, name):
    (reason,) = pick(rule, [{**BLANK, **SHOWN}[name]] * 2, 1).reasons
    assert (reason == "blank, as nothing else is left") == (name in BLANK)


@pytest.mark.parametrize("rule", RULES)
def test_without_the_signal_no_frame_is_blank(rule):
    tokens = VideoTokens(
        features=torch.ones(3, 4, 8), grid=(2, 2), pts_seconds=torch.arange(3.0).double()
    )
    (reason,) = registry.create(rule).select(make_candidates(tokens), 1).reasons
    assert "blank" not in reason


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("ground", [flat(0, 0, 0), flat(255, 255, 255), flat(0, 60, 160)])
def test_blank_frames_are_taken_last(rule, ground):
    images = [ground] * 6 + [pictured(seed) for seed in range(4)] + [ground] * 6
    for count in (1, 2, 4):
        chosen = pick(rule, images, count)
        assert set(chosen.indices) <= {6, 7, 8, 9}
    more = pick(rule, images, 7)
    assert {6, 7, 8, 9} < set(more.indices)
    assert len(more.indices) == 7
    for index, score, reason in zip(more.indices, more.scores, more.reasons, strict=True):
        blank = index not in {6, 7, 8, 9}
        assert (reason == "blank, as nothing else is left") == blank
        assert not blank or score == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_blank_video_still_gives_the_count(rule, count):
    chosen = pick(rule, [flat(0, 0, 0)] * 9, count)
    assert len(chosen.indices) == count
    assert all("blank" in reason for reason in chosen.reasons)


@pytest.mark.parametrize("rule", RULES)
def test_a_title_card_between_blank_frames_is_a_keyframe(rule):
    images = [flat(0, 0, 0)] * 5 + [written(flat(0, 0, 0))] + [flat(0, 0, 0)] * 5
    assert pick(rule, images, 1).indices == (5,)


def test_one_frame_of_a_fade_is_not_its_dark_part():
    bright = [0, 0, 0, 0.1, 0.2, 0.4, 0.7, 1, 1, 1, 1, 1, 0.6, 0.3, 0.1, 0, 0]
    images = [(pictured(n) * share).astype(np.uint8) for n, share in enumerate(bright)]
    assert bright[pick("keyframes", images, 1).indices[0]] >= 0.6


def test_the_middle_frame_of_a_file_that_fades_shows_content(tmp_path):
    path = tmp_path / "fade.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for n in range(140):
            share = np.clip(min((n - 30) / 20, (110 - n) / 20), 0, 1)
            image = (pictured(n // 10) * share).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    for fps in (1.0, 4.0):
        for rule in RULES:
            (frame,) = framesift.VideoCompressor(fps=fps, selector=rule).keyframes(path, 1)
            assert np.asarray(frame.image).max() > 150


def talk(*parts, patches=196, seed=0):
    """Tokens of a talk: a name, seconds and how much of the picture moves; and the names."""
    random = torch.Generator().manual_seed(seed)
    looks, frames, names = {}, [], []

    def picture(count):
        drawn = torch.randn(count, 32, generator=random)
        return torch.nn.functional.normalize(drawn, dim=-1)

    for name, seconds, moving in parts:
        look = looks.setdefault(name, picture(patches))
        head = torch.randperm(patches, generator=random)[: int(2 * moving * patches)]
        for _ in range(seconds):
            frame, moved = look.clone(), torch.rand(len(head), generator=random) < 0.5
            frame[head[moved]] = picture(int(moved.sum()))
            frames.append(frame)
            names.append(name)
    times = torch.arange(len(frames), dtype=torch.float64)
    return VideoTokens(features=torch.stack(frames), grid=(1, patches), pts_seconds=times), names


@pytest.mark.parametrize("moving", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("count", [8, 24])
def test_a_page_of_two_seconds_comes_before_more_of_the_same_speaker(moving, count):
    tokens, names = talk(
        *(("start page", 2, 0.0), ("speaker", 60, moving), ("page", 2, 0.0)),
        *(("speaker", 80, moving), ("slide", 20, 0.0), ("speaker", 90, moving)),
        *(("chart", 3, 0.01), ("speaker", 90, moving), ("last page", 1, 0.0)),
    )
    chosen = registry.create("keyframes").select(make_candidates(tokens), count)
    assert {names[index] for index in chosen.indices} == set(names)


STANDS = re.compile(r"stands for (\d+) sampled frames, ([\d.]+)-([\d.]+) s")


@pytest.mark.parametrize("length", [40, 1200])
def test_reasons_speak_of_stretches_without_gaps(length):
    tokens, _ = talk(*[(f"page {n % 3}", length // 10, 0.02) for n in range(10)], patches=16)
    chosen = registry.create("keyframes").select(make_candidates(tokens), 8)
    spans = []
    for index, reason in zip(chosen.indices, chosen.reasons, strict=True):
        if found := STANDS.match(reason):
            frames, start, end = int(found[1]), float(found[2]), float(found[3])
            assert frames == end - start + 1
        else:
            assert reason.startswith("stands alone")
            start = end = float(index)
        assert start <= index <= end
        spans.append((start, end))
    assert all(first[1] < second[0] for first, second in pairwise(spans))


def test_a_blank_frame_ends_what_a_keyframe_stands_for():
    images = [pictured()] * 4 + [flat(0, 0, 0)] + [pictured()] * 5
    (reason,) = pick("keyframes", images, 1).reasons
    assert reason in (
        "stands for 4 sampled frames, 0.0-3.0 s",
        "stands for 5 sampled frames, 5.0-9.0 s",
    )
