"""Options as JSON holds them, without what is secret in them."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from framesift.fetching.links import without_secrets


def plain_option(value: Any) -> Any:
    """Returns what JSON can hold of the value of an option, from which it is read back.

    Limits become mappings, paths text; a login of a site and credentials in a link are left out.
    """
    if is_dataclass(value) and not isinstance(value, type):
        fields = asdict(value).items()
        return {name: plain_option(each) for name, each in fields if name[:8] != "cookies_"}
    if isinstance(value, list | tuple):
        return [plain_option(each) for each in value]
    if isinstance(value, str):
        return plain_address(value)
    return str(value) if isinstance(value, Path) else value


def plain_address(text: str) -> str:
    """Returns a link without credentials, and any other text as it is."""
    if not text[:8].lower().startswith(("http://", "https://")):
        return text
    link, _, part = text.partition("#")
    bare = without_secrets(link)
    return f"{bare}#{part}" if part[:2] == "t=" else bare
