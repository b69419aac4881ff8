"""What the operator of a gateway decides, by environment, arguments or code."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict
from starlette.applications import Starlette

from framesift_server.common_settings import CommonSettings, Specs

Route = Literal["frames", "video-jpeg", "embeds", "local", "none"]

Images = Literal["timed", "frames", "keep"]


def _address(url: str) -> str:
    """Returns the address of an upstream without a slash at its end."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest.partition("/")[0]:
        raise ValueError(
            f"{url[:200]!r} is not an address of http; give one such as http://localhost:8000/v1"
        )
    if "?" in url or "#" in url or "@" in rest.partition("/")[0]:
        raise ValueError(
            "the address holds a query, a fragment or a login; give it without, and a key by "
            "--upstream-key"
        )
    return url.rstrip("/")


class GatewaySettings(CommonSettings):
    """An OpenAI-compatible endpoint in front of another one, or of a vision LLM on this machine.

        framesift gateway --upstream http://localhost:8000/v1

    Point clients at http://127.0.0.1:8080/v1 and send them videos, as `video_url` with a link or
    base64: the upstream gets few frames of each. Every option is read from the environment too,
    from `FRAMESIFT_` and its name in capitals.
    """

    model_config = SettingsConfigDict(cli_prog_name="framesift gateway")
    program: ClassVar[str] = "framesift gateway"
    own_headers: ClassVar[bool] = False  # those of the upstream go through

    upstream: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="Address of the OpenAI-compatible endpoint behind, up to and with /v1, such "
        "as http://localhost:8000/v1 of vLLM or http://localhost:11434/v1 of Ollama; none where "
        "--vlm answers everything.",
    )
    vlm: str | None = Field(
        None,
        description="Vision LLM that answers on this machine, by name, hub id, folder or spec "
        "string: requests that name it as their model, and videos by the route local.",
    )
    upstream_key: SecretStr | None = Field(
        None,
        description="What the upstream is sent as 'Authorization: Bearer KEY'. Without it the "
        "header of the client goes through, unless this gateway has keys of its own.",
    )
    upstream_seconds: float = Field(
        600.0, gt=0, description="Longest wait for the upstream's next bytes."
    )
    upstream_connect_seconds: float = Field(
        5.0, gt=0, description="Longest wait for a connection to the upstream."
    )
    upstream_connections: int = Field(
        512, ge=1, description="Connections to the upstream that are open at once."
    )
    route: Route = Field(
        "frames",
        description="How videos reach the upstream: as frames, which are pictures with their "
        "times, for any endpoint; as video-jpeg, which is one video whose frames have their times, "
        "for Qwen3-VL in vLLM; as embeds, which are the visual tokens that --vlm leaves, where the "
        "upstream serves the same model; local has --vlm answer; none sends them on as they are.",
    )
    frames: int = Field(16, ge=1, description="Frames that are sent of one video.")
    max_pictures: int = Field(
        64, ge=1, description="Frames that are sent of all videos of a request."
    )
    images: Images = Field(
        "timed",
        description="Which pictures of a message are frames of a video, at least 8 of one size in "
        "a row: timed, where each stands after its time; frames, all such; keep, none.",
    )
    max_side_px: int = Field(768, ge=64, le=4096, description="Longest side of a frame.")
    fps: float = Field(
        1.0, gt=0, le=60, description="Frames per second of video that are chosen among."
    )
    selector: str = Field(
        "keyframes",
        description="What chooses frames, as a spec string; one that reads a question is given "
        "the last message of the user.",
    )
    keep: float = Field(
        0.25, gt=0, le=1, description="Share of a video's visual tokens that --vlm reads."
    )
    strategy: str = Field(
        "temporal", description="What decides which of them, as a spec string; see --strategies."
    )
    strategies: Specs = Field(
        (), description="Strategies that requests may name in the same way as --selectors."
    )
    embeds_for: str | None = Field(
        None,
        description="Name of the upstream's model that has the weights of --vlm, so that it takes "
        "its tokens by the route embeds; other models get frames.",
    )
    embeds_form: Literal["prompt", "image"] = Field(
        "prompt",
        description="How they go: as prompt embeddings, to vLLM with --enable-prompt-embeds that "
        "serves the language model alone, or as image embeddings, with --enable-mm-embeds.",
    )
    max_frames: int = Field(256, ge=1, description="Frames that --vlm encodes of one video.")
    answer_tokens: int = Field(
        512, ge=1, description="Most tokens of an answer of --vlm where the request does not say."
    )
    videos_at_once: int = Field(
        1,
        ge=1,
        description="Requests whose videos are read at once for frames, each in a line of its own; "
        "more than 1 pays where the machine has cores to spare.",
    )
    token_px: int = Field(
        28,
        ge=1,
        description="Side of the square of a picture that is one visual token of the upstream, "
        "for counting: 28 of Qwen2-VL and Qwen2.5-VL, 32 of Qwen3-VL.",
    )
    frames_joined: int = Field(
        2,
        ge=1,
        description="Frames that the model joins to one step of time, 2 of Qwen; by video-jpeg "
        "each frame is sent as often, so that its time is its own.",
    )
    price_per_million: float = Field(
        0.0, ge=0, description="Price of a million tokens of a prompt, to count what was saved."
    )
    max_body_bytes: int = Field(
        256 * 2**20, ge=1024, description="Largest chat request; videos in base64 are part of it."
    )

    @model_validator(mode="after")
    def _answers(self) -> Self:
        if self.upstream is None and self.vlm is None:
            raise ValueError(
                "nothing would answer; give --upstream with the address of an endpoint, or --vlm "
                "with a model for this machine"
            )
        if self.route == "local" and self.vlm is None:
            raise ValueError("the route local needs a model on this machine; give it by --vlm")
        if self.route == "embeds" and self.embeds_for is None:
            raise ValueError(
                "the route embeds needs to know which model of the upstream is --vlm; give its "
                "name by --embeds-for"
            )
        if self.embeds_for is not None and None in (self.upstream, self.vlm):
            raise ValueError(
                "--embeds-for names the upstream's model that is --vlm; give --upstream and --vlm"
            )
        return self

    def check(self) -> None:
        """Refuses specs that name no part.

        Raises:
            FramesiftError: there is no such part or option.
        """
        # Here, since it imports torch, which `--help` need not wait for.
        framesift = import_module("framesift")
        framesift.selectors.registry.create(self.selector)
        framesift.strategies.registry.create(self.strategy)

    def app(self) -> Starlette:
        """Returns what answers requests; its `state.service` is what it holds."""
        # Here, since it imports torch, which `--help` need not wait for.
        return cast(Starlette, import_module("framesift_server.gateway.app").create_gateway(self))
