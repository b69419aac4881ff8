"""What the operator of a server decides, by environment, arguments or code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from framesift.serving import REAL_MODEL, TOY, ResizedBy, split_specs, toy_limitation
from framesift_server.clients import Bounds

INSTEAD: Final = f"start the server with --models {REAL_MODEL} for real footage"


def _specs(given: Any) -> Any:
    return split_specs(given) if isinstance(given, str) else given


def _state_folder() -> Path:
    """Returns where programs keep what is to outlive them, by the XDG base directories."""
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "framesift"


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
    allow_host: Specs = Field(
        (),
        description="Names under which clients reach this server, besides those of this machine, "
        "separated by commas; * for all, where a proxy checks them.",
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen at.")
    models: Names = Field(
        (TOY,),
        description="Vision LLMs that requests may name, by name, hub id, folder or spec "
        "string, separated by commas; the first is the default. Each is loaded when it is first "
        "needed. Where none is named, /v1/ask is for synthetic:// videos only.",
    )
    preload: bool = Field(
        False,
        description="Load the models at the start, so that /ready says when they are.",
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
    state_folder: Path = Field(
        default_factory=_state_folder,
        description="Folder of uploads, results and, unless --database is given, the database of "
        "jobs; $XDG_STATE_HOME/framesift by default. All workers of a server share it.",
    )
    database: SecretStr | None = Field(
        None,
        description="PostgreSQL database to use instead, as postgresql://USER:PASSWORD@HOST/NAME.",
    )
    workers: int = Field(
        1, ge=1, description="Processes that serve; each loads the models for itself."
    )
    grace_seconds: float = Field(
        10.0,
        ge=0,
        description="How long work that is under way may take to end after SIGTERM; jobs that "
        "have not ended by then are begun again by the next server.",
    )
    lease_seconds: float = Field(
        30.0,
        ge=1,
        description="How long a worker may show no sign of life before its jobs are taken up by "
        "another.",
    )
    keys_file: Path | None = Field(
        None,
        description="TOML file with a table for each client: its key, or the SHA-256 of it, and "
        "what it may use up.",
    )
    allow_synthetic: bool = Field(False, description="Open synthetic:// videos, for demos.")
    queue: int = Field(16, ge=0, description="Requests that may wait for one model.")
    max_seconds: float = Field(120.0, gt=0, description="Longest time of one request.")
    max_job_seconds: float = Field(3600.0, gt=0, description="Longest time of one job.")
    max_jobs: int = Field(
        16, ge=1, description="Finished jobs that are remembered, with their results."
    )
    max_results: int = Field(256, ge=1, description="Files of tensors that wait to be fetched.")
    max_results_bytes: int = Field(
        8 * 2**30, ge=1, description="Room that they may take; then the oldest goes."
    )
    min_compression_ratio: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Least share of the visual tokens that requests may ask to keep.",
    )
    max_frames: int = Field(256, ge=1, description="Frames encoded of one video at most.")
    max_fetch_bytes: int = Field(512 * 2**20, ge=1, description="Largest video fetched by link.")
    max_pixels: int = Field(2**26, ge=1, description="Largest picture of a video, in pixels.")
    max_body_bytes: int = Field(2**20, ge=1024, description="Largest JSON body of a request.")
    max_upload_bytes: int = Field(512 * 2**20, ge=1024, description="Largest upload.")
    max_connections: int = Field(
        512, ge=1, description="Connections that a process has open at once."
    )
    max_address_connections: int = Field(
        64,
        ge=1,
        description="Of these, connections of one address; behind a proxy, whose address all "
        "clients have, as many as --max-connections.",
    )
    client_seconds: float = Field(
        10.0,
        gt=0,
        description="Longest time for the head of a request, and over which a client's speed is "
        "measured.",
    )
    client_bytes_per_second: float = Field(
        1024.0, ge=0, description="Slowest client: how fast a body comes and an answer is read."
    )
    max_uploads: int = Field(16, ge=1, description="Uploads that are kept; then the oldest goes.")

    @property
    def locked(self) -> bool:
        """Whether clients need a key."""
        return self.api_key is not None or self.keys_file is not None

    @property
    def bounds(self) -> Bounds:
        """What clients may hold of one process."""
        return Bounds(
            seconds=self.client_seconds,
            bytes_per_second=self.client_bytes_per_second,
            connections=self.max_connections,
            connections_of_one_address=self.max_address_connections,
        )

    @property
    def model_limit(self) -> str | None:
        """What cannot be asked since the operator named no model; None if one is named."""
        return None if "models" in self.model_fields_set else toy_limitation(INSTEAD)
