"""Pictures of any resolution are cut as transformers cuts them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from framesift.errors import ModelError
from framesift.vlms.any_resolution import NEWLINE, AnyResolution, TiledPicture

transformers = pytest.importorskip("transformers")

SIZES = [
    (1, 1), (1, 900), (900, 1), (37, 61), (90, 50), (240, 320), (288, 512), (336, 336),
    (337, 336), (500, 999), (720, 1280), (1280, 720), (1008, 336), (1810, 2048), (2304, 2304),
    (3000, 400),
]  # fmt: skip
CHANNELS = 3


def config_of(family: str) -> Any:
    """Returns the published configuration, with a tower of the published size."""
    if family == "llava_next":
        return transformers.LlavaNextConfig()
    vision = transformers.SiglipVisionConfig(image_size=384, patch_size=14)
    return transformers.LlavaOnevisionConfig(
        vision_config=vision,
        image_grid_pinpoints=transformers.LlavaOnevisionImageProcessorPil.image_grid_pinpoints,
    )


def packed(family: str, config: Any, tiles: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Returns what the family's own model makes of features, with 7 for a newline."""
    name = "LlavaNextModel" if family == "llava_next" else "LlavaOnevisionModel"
    pack = getattr(transformers, name).pack_image_features
    last = (
        {"vision_feature_select_strategy": "default"}
        if family == "llava_next"
        else {"vision_aspect_ratio": "anyres_max_9"}
    )
    features, _ = pack(
        SimpleNamespace(config=config),
        [tiles],
        torch.tensor([size]),
        image_newline=torch.full((CHANNELS,), 7.0),
        **last,
    )
    row: torch.Tensor = features[0]
    return row


@pytest.fixture(params=["llava_next", "llava_onevision"])
def family(request: pytest.FixtureRequest) -> str:
    """A family whose pictures have any resolution."""
    return str(request.param)


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Height and width of a picture."""
    height, width = request.param
    return height, width


def test_its_tokens_are_those_of_the_familys_own_model(family: str, size: tuple[int, int]) -> None:
    config = config_of(family)
    cut = AnyResolution.of(config).cut(*size)
    torch.manual_seed(0)
    tiles = torch.randn(1 + cut.tile_count, cut.patches**2, CHANNELS)
    own = packed(family, config, tiles, size)
    assert len(own) == cut.count == len(cut.order)
    views = cut.in_views(tiles)
    assert views.shape == (cut.view_count, cut.patches**2, CHANNELS)
    with_newline = torch.cat([views.flatten(0, 1), torch.full((1, CHANNELS), 7.0)])
    assert torch.equal(with_newline[cut.order], own)
    there = cut.mask.flatten().nonzero().flatten()
    assert torch.equal(there, cut.order[cut.order != NEWLINE].sort().values)
    assert not views[~cut.mask].any()


def test_its_tiles_are_those_of_the_familys_own_processor(
    family: str, size: tuple[int, int]
) -> None:
    if max(size) > 1300:
        pytest.skip("pictures that are cut by numbers alone above")
    config = config_of(family)
    cut = AnyResolution.of(config).cut(*size)
    kind = "LlavaNext" if family == "llava_next" else "LlavaOnevision"
    processor = getattr(transformers, f"{kind}ImageProcessorPil")(
        image_grid_pinpoints=[list(canvas) for canvas in config.image_grid_pinpoints],
        size={"shortest_edge": 336} if family == "llava_next" else {"height": 384, "width": 384},
        crop_size={"height": 336, "width": 336} if family == "llava_next" else None,
    )
    given = processor(images=np.zeros((*size, 3), np.uint8), input_data_format="channels_last")[
        "pixel_values"
    ][0]
    assert len(given) == 1 + cut.tile_count


def test_many_sizes_have_as_many_tokens_as_the_familys_processor_writes(family: str) -> None:
    config = config_of(family)
    rule = AnyResolution.of(config)
    name = "LlavaNextProcessor" if family == "llava_next" else "LlavaOnevisionProcessor"
    own = object.__new__(getattr(transformers, name))
    own.image_processor = SimpleNamespace(image_grid_pinpoints=config.image_grid_pinpoints)
    own.patch_size, own.num_additional_image_tokens = 14, 0
    own.num_image_tokens, own.vision_aspect_ratio = rule.patches**2, "anyres_max_9"
    generator = torch.Generator().manual_seed(0)
    for height, width in torch.randint(1, 2500, (300, 2), generator=generator).tolist():
        expected = own._get_number_of_features(height, width, rule.tile_px, rule.tile_px)
        assert rule.cut(height, width).count == expected, (height, width)


def of_tiles(*canvases: tuple[int, int]) -> AnyResolution:
    """Returns a rule with tiles of 32 px and 4x4 tokens."""
    return AnyResolution(canvases_px=canvases, tile_px=32, patches=4)


def test_views_say_where_they_lie() -> None:
    cut = of_tiles((64, 64)).cut(100, 200)
    assert (cut.grid, cut.padding, cut.views) == ((4, 8), (2, 0), (1, 2))
    assert cut.regions == [(0, 0, 1, 1), (0, 0, 0.5, 1), (0.5, 0, 1, 1)]


def test_cells_that_are_not_there_lie_outside_of_the_picture() -> None:
    cut = of_tiles((64, 64)).cut(200, 150)
    assert (cut.grid, cut.padding, cut.views) == ((8, 6), (0, 1), (2, 2))
    left, right = cut.regions[1], cut.regions[2]
    assert left == pytest.approx((0, 0, 4 / 6, 0.5))
    assert right == pytest.approx((4 / 6, 0, 8 / 6, 0.5))
    assert cut.mask.sum(1).tolist() == [16, 16, 8, 16, 8]


def test_views_of_a_picture_with_too_many_tokens_lie_where_they_show_it() -> None:
    cut = replace(of_tiles((128, 128)), most_tiles=4).cut(128, 128)
    assert cut.grid == (8, 8)
    assert cut.regions[1:] == [
        (0, 0, 0.5, 0.5), (0.5, 0, 1, 0.5), (0, 0.5, 0.5, 1), (0.5, 0.5, 1, 1),
    ]  # fmt: skip


def test_a_canvas_of_parts_of_tiles_is_refused() -> None:
    config = transformers.LlavaNextConfig(image_grid_pinpoints=[[336, 500]])
    with pytest.raises(ModelError, match=r"\(336, 500\).*336 px") as error:
        AnyResolution.of(config)
    assert "\n" not in str(error.value)


def test_the_view_of_the_whole_picture_comes_first() -> None:
    cut: TiledPicture = of_tiles((32, 64)).cut(32, 64)
    assert cut.order[:16].tolist() == [*range(16)]
    assert cut.order[16:25].tolist() == [16, 17, 18, 19, 32, 33, 34, 35, NEWLINE]
