"""The role of a message in a conversation, whatever name a framework gives it."""

from __future__ import annotations

from typing import Final, Literal

from framesift.errors import InvalidOptionError

Role = Literal["user", "assistant", "system"]

ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "human": "user",
    "tool": "user",
    "function": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "system",
}
"""Results of tools come from the user, since vision LLMs know three roles only."""


def role_of(name: str) -> Role:
    """Returns the role of `Message` that a framework's name of a role means.

    Raises:
        InvalidOptionError: the name is unknown.
    """
    if name not in ROLES:
        raise InvalidOptionError(
            f"a message has the role {name!r}; use one of: {', '.join(sorted(ROLES))}"
        )
    return ROLES[name]
