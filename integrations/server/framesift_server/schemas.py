"""Requests and responses as pydantic models, whose descriptions OpenAPI shows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from framesift import EvidenceKind, Keyframe
from framesift.export import TranscriptFormat
from framesift.serving import ReaderSpecs
from framesift_server.request_schemas import either, named, prompted, repeatable
from framesift_server.usage import Used

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
        gt=0,
        le=1.0,
        description="Share of the visual tokens that is **kept**, at most 1.0, and at least what "
        "the operator allows: 0.25 keeps a quarter, 1.0 keeps all. It is `keep` in Python.",
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

_TAG: Final = "[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,4}"
Language = Annotated[
    str,
    Field(
        pattern=f"^{_TAG}( ?, ?{_TAG}){{0,7}}$",
        description="Languages of the subtitles of a site's page, the preferred one first, as "
        "de,en. Subtitles by people go before captions of machines.",
        examples=["de,en"],
    ),
]
HeightPx = Annotated[
    int,
    Field(
        ge=16,
        le=4320,
        description="The largest picture of at most this height is taken of a site's page.",
    ),
]

_WHOLE: Final = (int, int | None)


class _Video(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=either)

    video: Video
    language: Language = "en"
    max_height_px: Annotated[HeightPx, Field(strict=True)] = 720

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        """Returns what a client gave with one name for its video, and 5 for 5.0.

        JSON Schema takes both for whole numbers.
        """
        given = named(given)
        if not isinstance(given, dict):
            return given
        whole = {name for name, of in cls.model_fields.items() if of.annotation in _WHOLE}
        return {
            name: int(value)
            if name in whole and isinstance(value, float) and value.is_integer()
            else value
            for name, value in given.items()
        }


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

    model_config = ConfigDict(json_schema_extra=prompted)

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
        frozenset({"features"}),
        description="What comes back beside positions and times.",
        json_schema_extra=repeatable,
    )
    count: Count = 8
    max_edge_px: EdgePx = 768
    dtype: Literal["float32", "float16", "bfloat16"] | None = Field(
        None,
        description="Type of the numbers of tokens and `prompt_embeds`; that of the model or "
        "encoder by default. One that cannot hold them is refused.",
    )


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


class TranscriptQuery(BaseModel):
    """A video whose text is read, and what it is written as."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: Video
    language: Language = "en"
    max_height_px: HeightPx = 720
    text: Readers = ("subtitles",)
    format: TranscriptFormat = Field("json", description="What the text is written as.")


class AskRequest(_TokenRequest):
    """A question about a video; what `text` reads stands in the prompt beside the pictures."""

    kind: Literal["ask"] = "ask"
    question: str = Field(
        examples=["What number flashes?"],
        json_schema_extra={"minLength": 1, "pattern": r"\S"},  # the core says what is wrong
    )
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
    stop: tuple[Annotated[str, Field(json_schema_extra={"minLength": 1})], ...] = Field(
        (), max_length=8, description="The answer ends before these."
    )


AnyRequest = Annotated[
    CompressRequest | KeyframesRequest | AskRequest | TranscriptRequest,
    Field(
        discriminator="kind",
        description="Any request, with its `kind`.",
        json_schema_extra={"required": ["kind"]},
    ),
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


class Ready(BaseModel):
    """Requests may come."""

    status: Literal["ready"] = "ready"


class UsageHour(BaseModel):
    """What one client has used in one hour."""

    hour: str = Field(description="Its beginning, in UTC.", examples=["2026-11-27T08:00:00Z"])
    requests: int = Field(description="Pieces of work that were done, as answers or jobs.")
    failed: int = Field(description="Work that was begun and failed or was cancelled.")
    work_seconds: float = Field(description="Time of a worker, also of work that failed.")
    video_seconds: float = Field(description="Length of the videos, or parts, of work done.")
    tokens_in: int = Field(description="Visual tokens before compression.")
    tokens_out: int = Field(description="Visual tokens after it.")
    answer_tokens: int
    uploads: int
    upload_bytes: int

    @classmethod
    def of(cls, hour: str, used: Used) -> UsageHour:
        """Returns a row of the database as it is sent."""
        counts = asdict(used)
        work, video = (counts.pop(f"{name}_milliseconds") / 1000 for name in ("work", "video"))
        return cls(hour=f"{hour}:00:00Z", work_seconds=work, video_seconds=video, **counts)


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


JobStatus = Literal["waiting", "running", "done", "failed", "cancelled", "lost"]


class JobState(BaseModel):
    """A job and, at its end, its result or problem."""

    id: str
    kind: str
    status: JobStatus = Field(
        description="`lost` is a job that ended several processes of the server."
    )
    created: datetime
    attempts: int = Field(description="How often the work was begun.")
    progress: ProgressNow | None = None
    result: dict[str, Any] | None = Field(
        None, description="What the request of this kind answers directly."
    )
    problem: Problem | None = None


class JobPage(BaseModel):
    """Jobs, the newest first, without their results."""

    jobs: list[JobState]
    next: int | None = Field(None, description="`before` of the next page; null on the last.")
