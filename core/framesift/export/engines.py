"""Compressed videos and prompts in the forms that serving engines take.

Three doors, from the closest to the loosest. `prompt_embeds` is the whole prompt as one matrix, for
an engine that serves the language model alone. `image_embeds` holds the visual tokens as pictures
that were encoded already, for an engine that serves the vision LLM. `openai_content` holds
keyframes and their times, for any chat endpoint. The layouts are those that vLLM documents, where
`--enable-prompt-embeds` and `--enable-mm-embeds` open the first two.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from framesift.disk.tensors import TensorFile
from framesift.disk.writing import as_path, read_file, write_atomically
from framesift.errors import InvalidOptionError, ModelError
from framesift.types.compressed import CompressedVideo, Keyframe, jpeg_url
from framesift.types.compressed_files import token_tensors
from framesift.types.options import shown, side_px
from framesift.vlms.base import VLM, Prompt, Turn
from framesift.vlms.layout import frames_of_rows
from framesift.vlms.origin import check_origin

GRIDS: Final = frozenset({"qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"})
"""Types of model whose pictures come with a patch grid, from which the engine counts positions."""
LISTS: Final = frozenset({"llava", "internvl"})
"""Types of model whose pictures are a list of token matrices."""


def prompt_embeds(vlm: VLM, prompt: Prompt) -> Tensor:
    """Returns the embeddings `(L, D)` of a prompt, on the CPU, in the dtype of the model.

    It goes to an engine as `{"prompt_embeds": embeds}`, one request each. The engine counts
    positions by itself, so the prompt must have compact ones; what an M-RoPE model knows of places
    and times is lost then. In vLLM the engine serves the language model, saved on its own: its
    vision LLM classes do not read this field (vLLM issue 44842).

    Raises:
        ModelError: the prompt holds more than a matrix can carry: positions with gaps, visual
            features for deeper layers, or which columns are pictures to the model.
    """
    if prompt.layers is not None:
        raise ModelError(
            f"{vlm.called!r} takes visual features in deeper layers too, which prompt embeddings "
            "cannot carry; pass image_embeds instead"
        )
    if prompt.columns:
        raise ModelError(
            f"{vlm.called!r} treats columns that hold pictures in another way, which prompt "
            "embeddings cannot tell it; pass keyframes by openai_content instead"
        )
    counted = torch.arange(len(prompt.input_ids), device=prompt.position_ids.device)
    if not bool((prompt.position_ids == counted).all()):
        raise ModelError(
            "the prompt's positions have gaps or rows, which prompt embeddings cannot carry; build "
            "it by vlm.prompt(turns, positions='compact')"
        )
    with torch.no_grad():
        embeds: Tensor = vlm.hf.get_input_embeddings()(prompt.input_ids).clone()
        embeds[prompt.visual] = prompt.features.to(embeds)
    return embeds.cpu()


def content_embeds(vlm: VLM, video: CompressedVideo) -> Tensor:
    """Returns the embeddings `(L, D)` of a video as it stands in a message of the user.

    They are what the video adds to a prompt, its marks and time stamps included, and nothing of the
    chat template. So they go to vLLM's chat endpoint as a content part, `{"type": "prompt_embeds",
    "data": base64_embeds(embeds)}`, around which the engine puts the template and the other parts.

    Raises:
        ModelError: the model takes features in deeper layers, or the tokens are another's.
    """
    shown, bare = (
        vlm.prompt([Turn(role="user", text=".", videos=videos)], positions="compact")
        for videos in ((video,), ())
    )
    ids, others = shown.input_ids.tolist(), bare.input_ids.tolist()
    start = _shared(ids, others)
    rest = _shared(ids[start:][::-1], others[start:][::-1])
    return prompt_embeds(vlm, shown)[start : len(ids) - rest]


def base64_embeds(embeds: Tensor) -> str:
    """Returns embeddings as vLLM's endpoints take them: base64 of `torch.save`.

    A whole prompt, template included, goes to `/v1/completions` under the name `prompt_embeds`; the
    chat endpoint would put its template around it once more and takes `content_embeds` instead.

    Args:
        embeds: what `prompt_embeds` or `content_embeds` gives, `(L, D)`.
    """
    buffer = io.BytesIO()
    torch.save(embeds.contiguous(), buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def token_file(video: CompressedVideo) -> bytes:
    """Returns a compressed video as one safetensors file, to be sent to another process.

    `TensorFile` and `token_tensors` of `framesift.serving` give it in pieces, without a copy.

    The plan says which tokens of the encoder each of `tokens` stands for. It is their weighted mean
    unless the strategy computes it by a network, such as `slow-fast:filling=tiny`: then it cannot
    be made again from the plan.

    Its tensors are those of `token_tensors`.
    """
    return b"".join(TensorFile(token_tensors(video)).pieces())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageEmbeds:
    """The visual tokens of a video as pictures that were encoded already, one a frame."""

    embeds: Tensor
    """Tokens of all pictures `(M, D)`; `(M, D * (1 + Ld))` where deeper layers take some too."""
    counts: Tensor
    """Tokens of each picture, int64 `(I,)`, at least 1."""
    pts_seconds: Tensor
    """Time of the frame that each picture is, float64 `(I,)`, ascending."""
    grid_thw: Tensor | None = None
    """Patch grid (time, rows, columns) of each picture, int64 `(I, 3)`, for the models that count
    positions by it; else None. A whole frame has its own grid, a frame that is averaged over cells
    has that of its cells, and what is left of one is one row."""

    @property
    def pictures(self) -> list[Tensor]:
        """The tokens of each picture, `(n, D)`."""
        return list(self.embeds.split(self.counts.tolist()))

    def multi_modal_data(self) -> dict[str, Any]:
        """Returns what stands under `multi_modal_data` in a request to vLLM.

        The prompt beside it has one picture placeholder for each of `counts`, in this order, which
        the engine repeats as often as the picture has tokens.
        """
        if self.grid_thw is None:
            return {"image": self.pictures}
        return {"image": {"image_embeds": self.embeds, "image_grid_thw": self.grid_thw}}

    def __post_init__(self) -> None:
        rows, pictures = self.embeds.shape[:1], self.counts.shape
        if self.embeds.ndim != 2 or self.counts.ndim != 1 or self.pts_seconds.shape != pictures:
            raise ModelError(
                f"embeds {tuple(self.embeds.shape)}, counts {tuple(pictures)} and pts_seconds "
                f"{tuple(self.pts_seconds.shape)} must be (M, D), (I,) and (I,)"
            )
        if self.counts.dtype != torch.int64 or not bool((self.counts >= 1).all()):
            raise ModelError("counts must be whole numbers of at least 1")
        if (int(self.counts.sum()),) != tuple(rows):
            raise ModelError(
                f"counts add up to {int(self.counts.sum())}, embeds have {rows[0]} rows"
            )
        if self.grid_thw is not None and self.grid_thw.shape != (*pictures, 3):
            raise ModelError(f"grid_thw {tuple(self.grid_thw.shape)} must be {(*pictures, 3)}")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Returns `path`, a safetensors file that `load` reads back.

        Raises:
            StorageError: the place cannot be written to.
        """
        tensors = {"embeds": self.embeds, "counts": self.counts, "pts_seconds": self.pts_seconds}
        if self.grid_thw is not None:
            tensors["grid_thw"] = self.grid_thw
        return write_atomically(path, save({k: v.contiguous() for k, v in tensors.items()}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ImageEmbeds:
        """Returns what `save` wrote to `path`.

        Raises:
            StorageError: there is no such file, or it cannot be read.
            ModelError: the file holds something else.
        """
        content = read_file(path)
        try:
            return cls(**load(content))
        except (SafetensorError, ModelError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{as_path(path).name!r} does not hold image embeddings ({error}); pass a file "
                "that ImageEmbeds.save wrote"
            ) from error


def image_embeds(vlm: VLM, video: CompressedVideo) -> ImageEmbeds:
    """Returns the visual tokens of `video` as pictures, one for each frame that has tokens left.

    A merged token goes to the rounded mean of its frames; all views of a still picture are one.
    LLaVA and InternVL get a list of token matrices; Qwen gets one matrix with a patch grid for each
    picture, and Qwen3-VL the features of its deeper layers behind each token. The engine counts
    positions by itself: distances to tokens that were dropped are lost, and in Qwen the places in a
    frame that is not whole. Times do not travel; write `pts_seconds` between the pictures.

    Raises:
        ModelError: engines take no encoded pictures for this family, or the tokens are another's.
    """
    kind = vlm.config.model_type
    if kind not in GRIDS | LISTS:
        raise ModelError(
            f"engines take no encoded pictures for models of type {kind!r}, only for "
            f"{', '.join(sorted(GRIDS | LISTS))}; use prompt_embeds or openai_content"
        )
    check_origin(video, vlm)
    frame = frames_of_rows(video.plan) * (not video.report.picture)
    frames, counts = frame.unique(return_counts=True)
    deeper = () if video.layers is None else (video.layers.flatten(1),)
    return ImageEmbeds(
        embeds=torch.cat([video.tokens, *deeper], dim=1).cpu(),
        counts=counts,
        pts_seconds=video.frame_seconds[frames].double().cpu(),
        grid_thw=_grids(vlm, video, counts.tolist()) if kind in GRIDS else None,
    )


def openai_content(
    keyframes: Sequence[Keyframe],
    question: str,
    *,
    detail: Literal["auto", "low", "high"] = "auto",
    max_side_px: int | None = None,
    quality: int = 90,
) -> list[dict[str, Any]]:
    """Returns the content of a user message for any endpoint that speaks OpenAI's chat format.

    Each keyframe becomes its time as text, such as `"[01:07]"`, and a JPEG data URL; the question
    comes last.

    Args:
        keyframes: what `VideoCompressor.keyframes` gives, in time order.
        question: what is asked about them.
        detail: how closely the endpoint is asked to look, which sets its price.
        max_side_px: longest side of a picture, larger ones are made smaller; None for no limit.
        quality: of the JPEG, from 1 to 95.

    Raises:
        InvalidOptionError: no keyframe, no question, or a value out of range.
    """
    if not isinstance(question, str) or not keyframes or not question.strip():
        raise InvalidOptionError(
            f"got {len(keyframes)} keyframes and the question {shown(question)}; pass at least one "
            "keyframe and a question"
        )
    max_side_px = side_px(max_side_px)
    content: list[dict[str, Any]] = []
    for frame in keyframes:
        url = jpeg_url(_smaller(frame.image, max_side_px), quality=quality)
        content.append({"type": "text", "text": f"[{frame.clock}]"})
        content.append({"type": "image_url", "image_url": {"url": url, "detail": detail}})
    return [*content, {"type": "text", "text": question}]


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    """Returns how many items the two begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def _grids(vlm: VLM, video: CompressedVideo, counts: list[int]) -> Tensor:
    """Returns the patch grid of each picture, int64 `(I, 3)`."""
    merge: int = vlm.config.vision_config.spatial_merge_size
    plan, first, grids = video.plan, 0, []
    for count, places in zip(counts, video.positions[:, 1:].split(counts), strict=True):
        of_picture = (plan.dst >= first) & (plan.dst < first + count)
        shown = (plan.src[of_picture] % plan.tokens_per_frame).unique()
        rows = _raster_rows(places) if len(shown) == plan.tokens_per_frame else 1
        grids.append((1, rows * merge, count // rows * merge))
        first += count
    return torch.tensor(grids)


def _raster_rows(places: Tensor) -> int:
    """Returns the rows of the grid whose cells are at these (row, column) `(M, 2)`; 1 for none."""
    # Means over cells of one row differ by rounding errors.
    (rows, row), (columns, column) = (
        each.mul(1000).round().unique(return_inverse=True) for each in places.T
    )
    order = torch.arange(len(rows) * len(columns))
    return len(rows) if torch.equal(row * len(columns) + column, order) else 1


def _smaller(image: Image.Image, max_side_px: int | None) -> Image.Image:
    if max_side_px is None or max(image.size) <= max_side_px:
        return image
    scale = max_side_px / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
