"""A compressed video in the forms that it is sent in: JSON, lines of JSON, a file of tensors."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from framesift import CompressedVideo
from framesift.errors import InvalidOptionError
from framesift.export import base64_embeds
from framesift.serving import TensorFile, token_tensors
from framesift_server.schemas import (
    CompressHead,
    CompressRequest,
    CompressResponse,
    Features,
    Picture,
    TokenLine,
)

ROWS: Final = 1024
"""Tokens that are turned into lines at a time, and looked through for what a type cannot hold."""
WIDE: Final = ("tokens", "layers", "prompt_embeds")
"""Tensors whose type a request may choose."""


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
