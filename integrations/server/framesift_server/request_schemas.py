"""What a request may be beyond the types of its fields, in words of JSON Schema."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticCustomError


def either(schema: dict[str, Any]) -> None:
    """Says in the schema of a request that the video has two names."""
    address = schema["properties"]["video"]
    plain = {key: value for key, value in address.items() if key not in ("title", "description")}
    schema["properties"]["video_url"] = {
        "anyOf": [
            plain,
            {
                "type": "object",
                "properties": {"url": plain},
                "required": ["url"],
                "additionalProperties": False,
            },
        ],
        "title": "Video Url",
        "description": "Another name of `video`, as a string or in the object of OpenAI's format.",
    }
    schema["required"] = [name for name in schema["required"] if name != "video"]
    schema["oneOf"] = [{"required": ["video"]}, {"required": ["video_url"]}]


def named(given: Any) -> Any:
    """Returns what a client gave with its video under the one name `video`."""
    if not isinstance(given, dict) or "video_url" not in given:
        return given
    if "video" in given:
        raise PydanticCustomError("two_videos", "give video or video_url, not both")
    url = given["video_url"]
    if isinstance(url, dict) and set(url) == {"url"}:
        url = url["url"]
    if not isinstance(url, str):
        raise PydanticCustomError(
            "video_url", 'video_url must be an address, or an object {"url": ADDRESS} alone'
        )
    return {**{key: value for key, value in given.items() if key != "video_url"}, "video": url}


def repeatable(schema: dict[str, Any]) -> None:
    """Says in the schema of a set that it is taken with repetitions too."""
    del schema["uniqueItems"]


def prompted(schema: dict[str, Any]) -> None:
    """Says in the schema what prompt embeddings need."""
    either(schema)
    schema["if"] = {
        "properties": {"outputs": {"contains": {"const": "prompt_embeds"}}},
        "required": ["outputs"],
    }
    schema["then"] = {
        "properties": {
            "question": {"type": "string", "pattern": r"\S"},
            "encoder": {"type": "null"},
        },
        "required": ["question"],
    }
