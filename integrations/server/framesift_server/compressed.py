"""A compressed video in the forms that it is sent in: JSON, lines of JSON, a file of tensors."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from framesift import CompressedVideo, CompressionReport
from framesift.errors import InvalidOptionError
from framesift.export import base64_embeds
from framesift.serving import TensorFile, token_tensors
from framesift_server.schemas import CompressRequest, Picture

ROWS: Final = 1024
"""Tokens that are turned into lines at a time, and looked through for what a type cannot hold."""
WIDE: Final = ("tokens", "layers", "prompt_embeds")
"""Tensors whose type a request may choose."""


class Features(BaseModel):
    """A file of tensors, inside or to be fetched: exactly one of `data` and `url` is there."""

    format: Literal["safetensors"] = "safetensors"
    data: str | None = Field(
        None,
        description="Base64 of a safetensors file with `tokens` (M, D), `positions` (M, 3), "
        "`pts_seconds` and `sources` (M,), `frame_seconds` (T,) and the entries of the plan: "
        "`plan.dst`, `plan.src`, `plan.weight` (E,), which says what each token stands for; where "
        "there are, `layers` (M, Ld, D), the times of all frames of each time step, "
        "`step_seconds` (T, S), and of the encoding of each token, `encoded_seconds` (M,). Its "
        "header has the report as text.",
    )
    url: str | None = Field(
        None,
        description="Where the file is fetched instead, until it has to make room for others.",
        examples=["/v1/results/0f1c2d3e4f5061728394a5b6c7d8e9f0.safetensors"],
    )
    size_bytes: int = Field(description="Length of the file.")
    shape: tuple[int, int] | None = Field(
        None, description="(M, D): tokens kept, and channels; null where they were not asked for."
    )
    dtype: str | None = Field(None, description="Of the tokens.", examples=["float16"])


class TokenLine(BaseModel):
    """One token, in the lines of JSON."""

    position: tuple[float, float, float]
    pts_seconds: float
    source: int


class CompressHead(BaseModel):
    """The first of the lines of JSON; a `TokenLine` for each token follows, in time order."""

    report: CompressionReport
    features: Features | None = Field(
        None, description="Where the tensors are; `prompt_embeds` (L, D) is one, if asked for."
    )
    keyframes: list[Picture] | None = None


class CompressResponse(BaseModel):
    """The reduced token list, ready for injection, one entry per token in time order."""

    positions: list[tuple[float, float, float]] = Field(
        description="(frame, row, column) on the grid of `report.grid`; the mean of a merged token."
    )
    pts_seconds: list[float] = Field(description="Time of each token.")
    sources: list[int] = Field(
        description="Patch that each token comes from, the heaviest of a merged one: "
        "frame * patches per frame + row * columns + column."
    )
    report: CompressionReport
    features: Features | None = None
    prompt_embeds: str | None = Field(
        None,
        description="The whole prompt with the question, as `prompt_embeds` of vLLM's "
        "`/v1/completions` takes it: base64 of a tensor (L, D).",
    )
    keyframes: list[Picture] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Compressed:
    """What a request has asked for, in memory once."""

    request: CompressRequest
    video: CompressedVideo
    """With all that is to be said of it in its report."""
    embeds: Tensor | None = None
    pictures: list[Picture] | None = None

    def __post_init__(self) -> None:
        for name, value in self._tensors().items():
            if name in WIDE and not _fits(value, self._dtype(value)):
                raise InvalidOptionError(
                    f"dtype='{self.request.dtype}' cannot hold the largest of {name}; ask for "
                    "'bfloat16', or leave dtype out"
                )

    def file(self, *, embeds: bool = True) -> TensorFile:
        """Returns the file of its tensors; the report is a text in its header.

        Args:
            embeds: whether prompt embeddings are in it, where they were asked for.
        """
        tensors = self._tensors()
        if not embeds:
            tensors.pop("prompt_embeds", None)
        dtypes: dict[str, torch.dtype] = {
            name: self._dtype(tensors[name]) for name in WIDE if name in tensors
        }
        report = {"report": self.video.report.model_dump_json()}
        return TensorFile(tensors, dtypes=dtypes, metadata=report)

    def json(self, url: str | None = None) -> CompressResponse:
        """Returns it as one object.

        Args:
            url: where the file of its tensors lies, without prompt embeddings; None puts the file
                into the object.
        """
        video, features, embeds = self.video, None, None
        if "features" in self.request.outputs:
            features = self._features(self.file(embeds=False), url)
        if self.embeds is not None:
            embeds = base64_embeds(self.embeds.to(self._dtype(self.embeds)))
        return CompressResponse(
            positions=video.positions.tolist(),
            pts_seconds=video.pts_seconds.tolist(),
            sources=video.plan.sources.tolist(),
            report=video.report,
            features=features,
            prompt_embeds=embeds,
            keyframes=self.pictures,
        )

    def lines(self, url: str | None) -> Iterator[bytes]:
        """Yields it as lines of JSON: first all but its tokens, then one for each token.

        Args:
            url: where the file of its tensors lies, None where there are none.
        """
        video = self.video
        features = None if url is None else self._features(self.file(), url)
        head = CompressHead(report=video.report, features=features, keyframes=self.pictures)
        yield head.model_dump_json().encode() + b"\n"
        columns = (video.positions, video.pts_seconds, video.plan.sources)
        for part in zip(*(column.split(ROWS) for column in columns), strict=True):
            yield b"".join(
                TokenLine(position=position, pts_seconds=pts_seconds, source=source)
                .model_dump_json()
                .encode()
                + b"\n"
                for position, pts_seconds, source in zip(*map(Tensor.tolist, part), strict=True)
            )

    def _tensors(self) -> dict[str, Tensor]:
        tensors = token_tensors(self.video)
        if "features" not in self.request.outputs:
            del tensors["tokens"]
            tensors.pop("layers", None)
        tensors["sources"] = self.video.plan.sources
        if self.embeds is not None:
            tensors["prompt_embeds"] = self.embeds
        return tensors

    def _dtype(self, tensor: Tensor) -> torch.dtype:
        name = self.request.dtype
        return tensor.dtype if name is None else getattr(torch, name)

    def _features(self, file: TensorFile, url: str | None) -> Features:
        tokens, shown = self.video.tokens, "features" in self.request.outputs
        inside = None if url else base64.b64encode(b"".join(file.pieces())).decode()
        return Features(
            data=inside,
            url=url,
            size_bytes=file.size_bytes,
            shape=(tokens.shape[0], tokens.shape[1]) if shown else None,
            dtype=str(self._dtype(tokens)).removeprefix("torch.") if shown else None,
        )


def _fits(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Returns whether no number becomes infinite."""
    parts = tensor.split(ROWS) if dtype != tensor.dtype else ()
    return all(torch.equal(part.to(dtype).isinf(), part.isinf()) for part in parts)
