"""The promises of every source, wherever it fetches from."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pytest

from framesift.errors import SourceError
from framesift.fetching.limits import FetchLimits
from framesift.sources import registry
from framesift.sources.base import Source
from framesift.testing._suite import PartPromises

URIS = [
    "talk.mp4",
    "/videos/talk.mp4",
    "~/talk.mp4",
    "C:\\talk.mp4",
    "file:///videos/talk.mp4",
    "http://example.com/talk.mp4",
    "HTTPS://EXAMPLE.COM/talk.mp4",
    "https://example.com/watch?v=abc",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://www.loom.com/share/43d05f362f734614a2e81b4694a3a523",
    "synthetic://needle",
    "",
    "http://[",
    "s3://bucket/talk.mp4",
    "data:video/mp4;base64,AAAA",
]


class SourceContract(PartPromises):
    """No network before opening, no rivals, one clear error: what every source promises.

    class TestMine(SourceContract):
        spec = "mine"
        missing = "mine://no/such/video"  # an address of its kind, with nothing behind it
    """

    registry = registry
    missing: ClassVar[str]
    """An address that the source matches and cannot open."""

    @pytest.fixture
    def source(self, part: Source) -> Source:
        """The source under test, as `part` makes it."""
        return part

    @pytest.fixture
    def missing_uri(self, source: Source) -> str:
        """The address of `missing`; override it where several sources are tested."""
        return self.missing

    @pytest.fixture
    def offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Fails a test that looks up a name or opens a connection."""

        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("`matches` used the network")

        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr(socket.socket, "connect", refuse)

    def test_a_source_says_in_one_line_what_it_opens(self, source: Source) -> None:
        """It derives from `Source`, and its summary is more than a word."""
        assert isinstance(source, Source)
        assert len(source.summary) > 10

    @pytest.mark.usefixtures("offline")
    def test_matching_needs_no_network(self, source: Source) -> None:
        """`matches` returns a bool for any text, from the text alone."""
        for uri in URIS:
            answer = source.matches(uri)
            assert isinstance(answer, bool), f"matches({uri!r}) is {answer!r}"

    @pytest.mark.parametrize("uri", URIS)
    def test_no_other_source_of_its_priority_matches(self, source: Source, uri: str) -> None:
        """One source opens an address: of several that match it, `priority` says which."""
        if source.matches(uri):
            for name in self.registry.parts():
                other = self.registry.create(name)
                if type(other) is not type(source) and other.matches(uri):
                    message = f"{name!r} opens {uri!r} as well; state another `priority`"
                    assert other.priority != source.priority, message

    def test_what_is_missing_is_a_source_error_without_a_trace(
        self,
        source: Source,
        missing_uri: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What cannot be opened is a `SourceError` of one line, and no file stays behind."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        limits = FetchLimits(allow_private=True, total_seconds=5)
        assert source.matches(missing_uri)
        with pytest.raises(SourceError) as caught:
            source.open(missing_uri, limits)
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == [], "a temporary file stayed behind"
