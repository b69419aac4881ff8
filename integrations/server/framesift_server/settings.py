"""What the operator of a server decides, by environment, arguments or code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from framesift.serving import REAL_MODEL, TOY, ResizedBy, split_specs, toy_limitation

INSTEAD: Final = f"start the server with --models {REAL_MODEL} for real footage"


def _specs(given: Any) -> Any:
    return split_specs(given) if isinstance(given, str) else given


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_specs), Field(min_length=1)]
Specs = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_specs)]


class Settings(BaseSettings):
    """Settings of one server; each is read from `FRAMESIFT_` and its name in capitals.

    Requests choose among what is named here: they can neither load another model nor name a file of
    this machine, and private addresses are never fetched.
    """

    model_config = SettingsConfigDict(
        env_prefix="FRAMESIFT_",
        extra="forbid",
        frozen=True,
        cli_prog_name="framesift serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen at.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen at.")
    models: Names = Field(
        (TOY,),
        description="Vision LLMs that requests may name, by name, hub id, folder or spec "
        "string, separated by commas; the first is the default. Each is loaded when it is first "
        "needed. Where none is named, /v1/ask is for synthetic:// videos only.",
    )
    compile: bool = Field(
        True,
        description="On CUDA, compile the decoding step: half a minute at the start, in which the "
        "first model loads and its requests wait, and faster answers from then on.",
    )
    resized_by: ResizedBy = Field(
        "model",
        description="What scales large frames down for a vision LLM: its own preparation, which is "
        "exact, or the decoder before it, which is faster.",
    )
    encoders: Names = Field(
        ("handcrafted",), description="Encoders that requests may name instead, as spec strings."
    )
    selectors: Specs = Field(
        (),
        description="Selectors that requests may name although they read files, folders, hub ids "
        "or addresses, as spec strings separated by commas; all others they may name anyway.",
    )
    strategies: Specs = Field((), description="The same of strategies.")
    readers: Specs = Field((), description="The same of readers of text, such as speech.")
    text_folder: Path | None = Field(
        None, description="Folder that keeps what was read of videos; none by default."
    )
    api_key: SecretStr | None = Field(
        None, description="What clients must send as 'Authorization: Bearer KEY'; none by default."
    )
    allow_synthetic: bool = Field(False, description="Open synthetic:// videos, for demos.")
    queue: int = Field(16, ge=0, description="Requests that may wait for one model.")
    max_seconds: float = Field(120.0, gt=0, description="Longest time of one request.")
    max_job_seconds: float = Field(3600.0, gt=0, description="Longest time of one job.")
    max_jobs: int = Field(
        16, ge=1, description="Finished jobs that are remembered, with their results."
    )
    max_frames: int = Field(256, ge=1, description="Frames encoded of one video at most.")
    max_fetch_bytes: int = Field(512 * 2**20, ge=1, description="Largest video fetched by link.")
    max_pixels: int = Field(2**26, ge=1, description="Largest picture of a video, in pixels.")
    max_body_bytes: int = Field(2**20, ge=1024, description="Largest JSON body of a request.")
    max_upload_bytes: int = Field(512 * 2**20, ge=1024, description="Largest upload.")
    max_uploads: int = Field(16, ge=1, description="Uploads that are kept; then the oldest goes.")

    @property
    def model_limit(self) -> str | None:
        """What cannot be asked since the operator named no model; None if one is named."""
        return None if "models" in self.model_fields_set else toy_limitation(INSTEAD)
