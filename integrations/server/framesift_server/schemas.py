"""Requests and responses as pydantic models, whose descriptions OpenAPI shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from framesift import CompressionReport, EvidenceKind, Keyframe
from framesift.export import TranscriptFormat
from framesift.serving import ReaderSpecs

Video = Annotated[
    str,
    Field(
        min_length=1,
        description="http(s) link to a video or to its page, `upload:ID` of an upload, a data: "
        "URI, or synthetic://NAME where the server allows it. Files and private addresses are "
        "refused. #t=START,END at its end means that part, in seconds.",
        examples=["https://example.org/talk.mp4", "synthetic://number?seed=3"],
    ),
]
Ratio = Annotated[
    float,
    Field(
        strict=True,
        ge=0.25,
        le=1.0,
        description="Share of the visual tokens that is **kept**, from 0.25 to 1.0: 0.25 keeps a "
        "quarter, 1.0 keeps all. It is `keep` in Python.",
    ),
]
EdgePx = Annotated[
    int,
    Field(strict=True, ge=64, le=4096, description="Longest side of a picture, in pixels."),
]
Count = Annotated[int, Field(strict=True, ge=1, le=64, description="Number of keyframes.")]


Readers = Annotated[
    ReaderSpecs,
    Field(
        description="What reads the text of the video, one or several; see `GET /v1/readers`. One "
        "that reads a folder or hub id must be allowed by the operator.",
        examples=["screen", ["subtitles", "screen"]],
    ),
]


class _Video(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    video: Video


class _Request(_Video):
    text: Readers | None = Field(
        None,
        description="What reads the text by which a selector may choose; subtitles by default.",
    )
    fps: float = Field(
        1.0, strict=True, gt=0, le=60, description="Frames sampled per second of video."
    )
    selector: str = Field(
        "keyframes",
        description="What picks frames; see `GET /v1/selectors` and `GET /v1/scorers`. One that "
        "reads files, folders, hub ids or addresses must be allowed by the operator.",
        examples=["keyframes", "auto", "nms:scorer=text"],
    )


class _TokenRequest(_Request):
    max_frames: int | None = Field(
        None,
        strict=True,
        ge=1,
        description="Most frames that are encoded, chosen by `selector`; never more than the "
        "server allows.",
    )
    compression_ratio: Ratio = 0.25
    strategy: str = Field(
        "temporal",
        description="What decides which tokens stay; see `GET /v1/strategies`. One that reads a "
        "folder or hub id must be allowed by the operator.",
        examples=["temporal", "slow-fast:filling=pooled"],
    )
    model: str | None = Field(
        None, description="Served vision LLM; by default the first of `GET /health`."
    )


class CompressRequest(_TokenRequest):
    """A video to compress to visual tokens."""

    kind: Literal["compress"] = "compress"
    encoder: str | None = Field(
        None,
        description="Served encoder to take instead of the model's own vision tower. Its tokens "
        "suit no LLM directly.",
    )
    question: str | None = Field(
        None, description="What is to be answered; needed for `prompt_embeds`."
    )
    outputs: frozenset[Literal["features", "prompt_embeds", "keyframes"]] = Field(
        frozenset({"features"}), description="What comes back beside positions and times."
    )
    count: Count = 8
    max_edge_px: EdgePx = 768


class KeyframesRequest(_Request):
    """A video to pick keyframes of."""

    kind: Literal["keyframes"] = "keyframes"
    count: Count = 8
    question: str | None = Field(None, description="For selectors that read it.")
    max_edge_px: EdgePx = 768


class TranscriptRequest(_Video):
    """A video whose text is read."""

    kind: Literal["transcript"] = "transcript"
    text: Readers = ("subtitles",)


class TranscriptQuery(_Video):
    """A video whose text is read, and what it is written as."""

    text: Readers = ("subtitles",)
    format: TranscriptFormat = Field("json", description="What the text is written as.")


class AskRequest(_TokenRequest):
    """A question about a video; what `text` reads stands in the prompt beside the pictures."""

    kind: Literal["ask"] = "ask"
    question: str = Field(examples=["What number flashes?"])
    evidence: EvidenceKind | None = Field(
        "auto",
        description="How the stretches that the answer rests on are found: `auto` takes the "
        "attention of the answer, or similarity to the question where the model shows none.",
    )
    max_text_tokens: int = Field(
        512, strict=True, ge=1, le=4096, description="Most tokens of what `text` has read."
    )
    max_new_tokens: int = Field(64, strict=True, ge=1, le=1024, description="Longest answer.")
    temperature: float = Field(
        0.0, strict=True, ge=0, le=10, description="0 is greedy; above 0 draws."
    )
    seed: int | None = Field(
        None, strict=True, ge=0, lt=2**63, description="Makes a draw repeatable."
    )
    stop: tuple[str, ...] = Field((), max_length=8, description="The answer ends before these.")


AnyRequest = Annotated[
    CompressRequest | KeyframesRequest | AskRequest | TranscriptRequest,
    Field(discriminator="kind", description="Any request, with its `kind`."),
]


class Picture(BaseModel):
    """A keyframe."""

    pts_seconds: float
    score: float
    reason: str
    width_px: int
    height_px: int
    url: str = Field(description="JPEG as a data URL.")

    @classmethod
    def of(cls, frame: Keyframe) -> Picture:
        """Returns a keyframe as it is sent."""
        return cls(**frame.metadata(), url=frame.data_url())


class Features(BaseModel):
    """Tensors in base64."""

    format: Literal["safetensors"] = "safetensors"
    data: str = Field(
        description="Base64 of a safetensors file with `tokens` (M, D), `positions` (M, 3), "
        "`pts_seconds` (M,), `frame_seconds` (T,) and the entries of the plan: `plan.dst`, "
        "`plan.src`, `plan.weight` (E,), which says what each token stands for; where models take "
        "them, `layers` (M, Ld, D) and the times "
        "of all frames of each time step, `step_seconds` (T, S)."
    )
    shape: tuple[int, int] = Field(description="(M, D): tokens kept, and channels.")
    dtype: str


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


class KeyframesResponse(BaseModel):
    """Keyframes in time order."""

    keyframes: list[Picture]
    warnings: list[str] = []


class UploadResponse(BaseModel):
    """An upload, to be named as `video` of any request."""

    video: str = Field(examples=["upload:4f0c9b1a7d5e4c2f"])
    size_bytes: int


class Health(BaseModel):
    """What is served."""

    status: Literal["ok"] = "ok"
    version: str
    models: list[str]
    encoders: list[str]
    working: dict[str, int] = Field(description="Requests in work and waiting, by model.")


class ProgressNow(BaseModel):
    """How far a stage has come."""

    stage: str = Field(examples=["encode"])
    done: float
    total: float | None = None
    unit: str = Field(examples=["frame"])


class Problem(BaseModel):
    """An error by RFC 9457."""

    type: str = "about:blank"
    title: str = Field(examples=["Forbidden"])
    status: int = Field(examples=[403])
    detail: str = Field(description="One line: what was given, what is allowed, what to do.")
    error: str | None = Field(None, description="Name of framesift's error.")


class JobState(BaseModel):
    """A job and, at its end, its result or problem."""

    id: str
    kind: str
    status: Literal["waiting", "running", "done", "failed", "cancelled"]
    progress: ProgressNow | None = None
    result: dict[str, Any] | None = Field(
        None, description="What the request of this kind answers directly."
    )
    problem: Problem | None = None
