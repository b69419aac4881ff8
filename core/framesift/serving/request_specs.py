"""Spec strings in requests of strangers, who may not make this machine read or fetch anything."""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection
from typing import Any, Final, Literal

from framesift.errors import ForbiddenAddressError
from framesift.registry import Registry
from framesift.types.options import shown
from framesift.types.spec import split_spec

OPTION: Final = re.compile(r"[a-z][a-z0-9_]*\s*=")
"""How an option of a spec begins, as no name, hub id or path does."""
Plural = Literal["selectors", "strategies", "encoders", "decoders", "scorers", "readers"]


def check_request_spec(plural: Plural, spec: str, configured: Collection[str] = ()) -> None:
    """Refuses a spec in a request that names a file, a folder, a hub id or an address.

    No part is made, so nothing is opened.

    Args:
        plural: whose part it is.
        spec: as the request has it.
        configured: specs that the operator of the surface has allowed, word for word.

    Raises:
        ForbiddenAddressError: it would have this machine read or fetch what a stranger has named.
        SpecError: there is no such part or option.
    """
    if spec in configured:
        return
    registry: Registry[Any] = importlib.import_module(f"framesift.{plural}").registry
    if reached := registry.reaches(spec):
        others = f"one of: {', '.join(configured)}; or " if configured else ""
        raise ForbiddenAddressError(
            f"{registry.kind}={shown(spec)} reads {', '.join(map(shown, reached))}, and a request "
            f"may not name files, folders, hub ids or addresses; take {others}a {registry.kind} "
            "without them, or ask the operator to allow this one"
        )


def split_specs(text: str) -> tuple[str, ...]:
    """Returns the spec strings in a list with commas, where an option belongs to what it follows.

    `"nms:scorer=[clip:model=A,device=cpu],distance=3, uniform"` holds two.
    """
    specs: list[str] = []
    for part in filter(None, map(str.strip, split_spec(text, ","))):
        if specs and ":" in specs[-1] and OPTION.match(part):
            specs[-1] += f",{part}"
        else:
            specs.append(part)
    return tuple(specs)
