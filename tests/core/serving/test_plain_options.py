"""What JSON holds of options has no login and no credentials in it."""

import json
from pathlib import Path

import pytest

from framesift import FetchLimits, SiteOptions
from framesift.serving import plain_address, plain_option


def test_options_become_json_without_a_login():
    site = SiteOptions(language="de,en", cookies_from_browser="firefox:private")
    written = json.loads(json.dumps(plain_option(site)))
    assert written == {"language": ["de", "en"], "max_height_px": 720}
    assert SiteOptions(**written) == SiteOptions(language="de,en")
    limits = FetchLimits(max_bytes=5, ports=(443,))
    assert FetchLimits(**json.loads(json.dumps(plain_option(limits)))) == limits
    assert plain_option((Path("a.mp4"), 3, None)) == ["a.mp4", 3, None]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://me:secret@example.com/a.mp4", "https://example.com/a.mp4"),
        (
            "https://example.com/a.mp4?token=secret&x=1#t=1,2",
            "https://example.com/a.mp4?token=...&x=1#t=1,2",
        ),
        ("https://example.com/a.mp4#access_token=secret", "https://example.com/a.mp4"),
        ("synthetic://cuts?seconds=9#t=1,2", "synthetic://cuts?seconds=9#t=1,2"),
        ("talk #1.mp4", "talk #1.mp4"),
    ],
)
def test_a_link_is_written_without_credentials(given, shown):
    assert plain_address(given) == plain_option(given) == shown
