"""What the operator of a server decides, by environment, arguments or code."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import ClassVar, Final, Self, cast

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict
from starlette.applications import Starlette

from framesift.serving import REAL_MODEL, TOY, ResizedBy, toy_limitation
from framesift_server.common_settings import CommonSettings, Names, Specs

INSTEAD: Final = f"start the server with --models {REAL_MODEL} for real footage"


class Settings(CommonSettings):
    """Settings of one server; each is read from `FRAMESIFT_` and its name in capitals.

    Requests choose among what is named here: they can neither load another model nor name a file of
    this machine, and private addresses are never fetched.
    """

    model_config = SettingsConfigDict(cli_prog_name="framesift serve")
    program: ClassVar[str] = "framesift serve"

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
    strategies: Specs = Field(
        (), description="Strategies that requests may name in the same way as --selectors."
    )
    readers: Specs = Field((), description="The same of readers of text, such as speech.")
    text_folder: Path | None = Field(
        None, description="Folder that keeps what was read of videos; none by default."
    )
    lease_seconds: float = Field(
        30.0,
        ge=1,
        description="How long a worker may show no sign of life before its jobs are taken up by "
        "another.",
    )
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
    max_upload_bytes: int = Field(512 * 2**20, ge=1024, description="Largest upload.")
    max_uploads: int = Field(16, ge=1, description="Uploads that are kept; then the oldest goes.")

    play: bool = Field(
        False,
        description="Serve the playground at /play, for browsers, which send no key: not together "
        "with keys, nor with several --workers. Needs gradio: pip install 'framesift[play]'.",
    )

    @model_validator(mode="after")
    def _plays(self) -> Self:
        if self.play and self.locked:
            raise ValueError(
                "--play is for browsers, which send no key, and its work is billed to nobody; "
                "leave out --play, or --api-key and --keys-file"
            )
        if self.play and self.workers > 1:
            raise ValueError(
                f"--play keeps its visitors in one process, and --workers is {self.workers}; "
                "leave out one of the two"
            )
        return self

    def check(self) -> None:
        """Refuses a playground that cannot be made.

        Raises:
            MissingDependencyError: gradio is not installed.
        """
        if self.play:
            import_module("framesift.playground").check_installed()

    @property
    def model_limit(self) -> str | None:
        """What cannot be asked since the operator named no model; None if one is named."""
        return None if "models" in self.model_fields_set else toy_limitation(INSTEAD)

    def app(self) -> Starlette:
        """Returns what answers requests; its `state.service` is what it holds."""
        # Here, since it imports torch, which `--help` need not wait for.
        return cast(Starlette, import_module("framesift_server.app").create_app(self))
