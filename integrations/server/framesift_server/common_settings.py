"""What the operator of any server of this distribution decides: who reaches it, and its bounds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from starlette.applications import Starlette

from framesift.serving import split_specs
from framesift_server.clients import Bounds


def _specs(given: Any) -> Any:
    return split_specs(given) if isinstance(given, str) else given


def _state_folder() -> Path:
    """Returns where programs keep what is to outlive them, by the XDG base directories."""
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "framesift"


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_specs), Field(min_length=1)]
Specs = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_specs)]


class CommonSettings(BaseSettings):
    """What `framesift serve` and `framesift gateway` share."""

    model_config = SettingsConfigDict(
        env_prefix="FRAMESIFT_",
        extra="forbid",
        frozen=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )
    program: ClassVar[str]
    """The command, for its lines."""
    own_headers: ClassVar[bool] = True
    """Whether answers say what serves them, and when."""

    host: str = Field("127.0.0.1", description="Address to listen at.")
    allow_host: Specs = Field(
        (),
        description="Names under which clients reach this server, besides those of this machine, "
        "separated by commas; * for all, where a proxy checks them.",
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen at.")
    selectors: Specs = Field(
        (),
        description="Selectors that requests may name although they read files, folders, hub ids "
        "or addresses, as spec strings separated by commas; all others they may name anyway.",
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
    keys_file: Path | None = Field(
        None,
        description="TOML file with a table for each client: its key, or the SHA-256 of it, and "
        "what it may use up.",
    )
    allow_synthetic: bool = Field(False, description="Open synthetic:// videos, for demos.")
    queue: int = Field(16, ge=0, description="Requests that may wait for one model.")
    max_seconds: float = Field(120.0, gt=0, description="Longest time of one request.")
    max_fetch_bytes: int = Field(512 * 2**20, ge=1, description="Largest video fetched by link.")
    max_pixels: int = Field(2**26, ge=1, description="Largest picture of a video, in pixels.")
    max_body_bytes: int = Field(2**20, ge=1024, description="Largest JSON body of a request.")
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

    def check(self) -> None:
        """Refuses what can only be told wrong once the core is imported.

        Raises:
            FramesiftError: says what is wrong.
        """

    def app(self) -> Starlette:
        """Returns what answers requests; its `state.service` is what it holds."""
        raise NotImplementedError
