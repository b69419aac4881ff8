"""What one request may decide about its videos, by a field of its body or by headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from framesift.errors import FramesiftError
from framesift.serving import check_request_spec, error_line, option_error, unknown_option
from framesift_server.gateway.openai_errors import GatewayError
from framesift_server.gateway.settings import GatewaySettings, Images, Route

FIELD: Final = "framesift"
"""The field of a body that holds the knobs, which OpenAI's client fills by `extra_body`."""
PREFIX: Final = "x-framesift-"


PICTURES: Final = frozenset({"frames", "images", "max_side_px"})
"""Knobs of routes by which pictures are sent."""
TOKENS: Final = frozenset({"keep", "strategy"})
"""Knobs of routes by which a vision LLM of this machine reads videos."""
MEANT: Final[Mapping[str, frozenset[str]]] = {
    "frames": PICTURES,
    "video-jpeg": PICTURES,
    "embeds": TOKENS | {"images"},
    "local": TOKENS,
}


MOST_FPS: Final = 60.0


class Knobs(BaseModel):
    """How the videos of one request are shortened; the gateway's own values by default."""

    model_config = ConfigDict(extra="forbid", frozen=True, title=FIELD)

    route: Route
    frames: Annotated[int, Field(ge=1)]
    images: Images
    max_side_px: Annotated[int, Field(ge=64, le=4096)]
    fps: Annotated[float, Field(gt=0, le=MOST_FPS)]
    selector: str
    keep: Annotated[float, Field(gt=0, le=1)]
    strategy: str

    @classmethod
    def of(
        cls, settings: GatewaySettings, field: Any, headers: Mapping[str, str]
    ) -> tuple[Knobs, frozenset[str]]:
        """Returns the knobs of a request, and which of them it has set itself.

        Args:
            settings: hold the defaults, and the most pictures.
            field: of the body, None where there is none.
            headers: of the request; the field goes before them.

        Raises:
            GatewayError: there is no such knob, or a value is not allowed.
        """
        if not isinstance(field, Mapping | None):
            raise _refused(f"{FIELD} must be an object, such as {{'frames': 8}}")
        own = {name for name in headers if name.startswith(PREFIX)}
        given = {name.removeprefix(PREFIX).replace("-", "_"): headers[name] for name in own}
        given |= field or {}
        names = list(cls.model_fields)
        for name in given:
            if name not in names:
                raise _refused(unknown_option(f"{FIELD!r} of a request", str(name)[:80], names))
        try:
            made = cls(**{name: getattr(settings, name) for name in names} | given)
            if "selector" in given:
                check_request_spec("selectors", made.selector, settings.selectors)
            if "strategy" in given:
                check_request_spec("strategies", made.strategy, settings.strategies)
        except ValidationError as error:
            raise _refused(error_line(option_error(error))) from error
        except FramesiftError as error:
            raise _refused(error_line(error)) from error
        if made.frames > settings.max_pictures:
            raise _refused(
                f"frames={made.frames} is more than {settings.max_pictures}, the most pictures of "
                "a request here; ask for fewer, or raise --max-pictures"
            )
        return made, frozenset(given)


def check_meant(route: Route, set_here: frozenset[str]) -> None:
    """Refuses knobs that mean nothing on the route that a request takes.

    Args:
        route: of the request.
        set_here: knobs that the request has set itself.

    Raises:
        GatewayError: it has set one of another route.
    """
    for name in sorted(set_here & (PICTURES | TOKENS)):
        if route in MEANT and name not in MEANT[route]:
            routes = [each for each, meant in MEANT.items() if name in meant]
            raise _refused(
                f"{name!r} means nothing by the route {route!r}, which this request takes; leave "
                f"it out, or take the route {' or '.join(map(repr, routes))}"
            )


def _refused(line: str) -> GatewayError:
    return GatewayError(400, line, param=FIELD, code="invalid_value")
