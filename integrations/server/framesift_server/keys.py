"""Who may use a server: keys with names, and what each of them may use up."""

from __future__ import annotations

import secrets
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from framesift.errors import InvalidOptionError
from framesift.serving import option_error
from framesift_server.common_settings import CommonSettings

ANYBODY: Final = "anybody"
"""What a client of a server without keys is called."""
Most = Annotated[int | None, Field(ge=0)]


class Client(BaseModel):
    """One client of a server; the key itself is not kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    digest: bytes = b""
    """SHA-256 of its key."""
    operator: bool = False
    """Whether it may read `/metrics`, which tells of all clients."""
    requests_per_minute: Most = None
    uploads_per_day: Most = None
    upload_bytes_per_day: Most = None


class Keys:
    """The clients of a server, by their keys."""

    def __init__(self, clients: tuple[Client, ...]) -> None:
        self._clients = clients

    @classmethod
    def of(cls, settings: CommonSettings) -> Keys:
        """Returns those that the operator has named.

        Raises:
            InvalidOptionError: the file of keys is wrong; says what and where.
        """
        clients = []
        if settings.api_key is not None:
            digest = sha256(settings.api_key.get_secret_value().encode()).digest()
            clients.append(Client(name="default", digest=digest, operator=True))
        if settings.keys_file is not None:
            clients += _read(settings.keys_file)
        for same in ("name", "digest"):
            values = [getattr(client, same) for client in clients]
            if len(set(values)) < len(values):
                raise InvalidOptionError(
                    f"two keys of this server have the same {'name' if same == 'name' else 'key'}; "
                    "give each its own"
                )
        return cls(tuple(clients))

    def of_header(self, authorization: str) -> Client | None:
        """Returns whose key a header `Authorization` holds, None for nobody's.

        Every key is compared, each in a time that does not depend on what was given.
        """
        if not self._clients:
            return Client(name=ANYBODY, operator=True)
        scheme, _, key = authorization.partition(" ")
        digest = sha256(key.strip().encode()).digest()
        found = [c for c in self._clients if secrets.compare_digest(c.digest, digest)]
        return found[0] if found and scheme.lower() == "bearer" else None


def _read(path: Path) -> list[Client]:
    """Returns the clients of a TOML file with a table for each."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidOptionError(
            f"--keys-file {str(path)!r} cannot be read: {' '.join(str(error).split())}"
        ) from error
    clients = [_client(path, name, table) for name, table in tables.items()]
    if not clients:
        raise InvalidOptionError(f"--keys-file {str(path)!r} names no client; add a table of one")
    return clients


def _client(path: Path, name: str, table: object) -> Client:
    where = f"--keys-file {str(path)!r}, [{name}]"
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    if not (plain.isascii() and plain.isalnum() and len(name) <= 64 and name != ANYBODY):
        raise InvalidOptionError(
            f"{where}: a name has up to 64 letters, digits, '-', '_' and '.', and is not {ANYBODY}"
        )
    if not isinstance(table, dict) or ("key" in table) == ("sha256" in table):
        raise InvalidOptionError(f"{where}: give either `key` or `sha256`")
    table = dict(table)
    digest = _digest(where, table.pop("key", None), table.pop("sha256", None))
    try:
        return Client(**{**table, "name": name, "digest": digest})
    except ValidationError as error:
        raise InvalidOptionError(f"{where}: {option_error(error)}") from error


def _digest(where: str, key: object, hashed: object) -> bytes:
    if isinstance(key, str) and len(key) >= 16:
        return sha256(key.encode()).digest()
    if isinstance(hashed, str) and len(hashed) == 64:
        try:
            return bytes.fromhex(hashed)
        except ValueError:
            pass
    raise InvalidOptionError(
        f"{where}: `key` is a text of at least 16 characters, or `sha256` 64 hexadecimal digits of "
        "one; take one from a generator, such as `openssl rand -hex 32`"
    )
