"""Videos in messages go to files and come back as they were."""

import json
from base64 import b64encode

import pytest

from framesift.serving import keep_videos, kept_videos, media_of

HELD = b64encode(b"a video").decode()
BLOCKS = [
    {"type": "video", "base64": HELD, "mime_type": "video/mp4", "start": 2, "fps": 3},
    {"type": "video_url", "video_url": {"url": f"data:video/x-matroska;base64,{HELD}"}},
]
OTHERS = [
    "text",
    {"type": "text", "text": "[video]"},
    {"type": "video", "url": "https://example.org/a.mp4"},
    {"type": "video_url", "video_url": {"url": "data:video/jpeg;base64,/9j/,/9j/"}},
    {"type": "image", "base64": HELD, "mime_type": "image/png"},
    {"type": "video", "base64": "no base64!", "mime_type": "video/mp4"},
    {"type": "video", "base64": HELD, "mime_type": "video/../mp4"},
    {"type": "video", "file_id": "of-a-provider"},
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block["type"])
def test_a_video_comes_back_with_its_part_and_rate(block, tmp_path):
    smaller, kept = keep_videos(["What?", block], tmp_path)
    assert smaller == ["What?", {"type": "text", "text": "[video]"}]
    assert len(list(tmp_path.iterdir())) == 1
    back = kept_videos(smaller, json.loads(json.dumps(kept)), tmp_path)
    assert back[0] == "What?"
    assert media_of(back[1]) == media_of(block)
    next(tmp_path.iterdir()).unlink()
    assert kept_videos(smaller, kept, tmp_path)[1]["text"] == "[video, whose file is gone]"


def test_everything_else_stays_as_it_is(tmp_path):
    assert keep_videos(OTHERS, tmp_path) == (OTHERS, {})
    assert kept_videos(OTHERS, {}, tmp_path) == OTHERS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("forged", [None, 3, {"1": 3}, {"1": {}}, {"1": {"name": "../a.mp4"}}])
def test_what_a_stranger_says_of_files_reads_none(forged, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"a password")
    back = kept_videos(OTHERS[:2], forged, tmp_path / "kept")
    assert "password" not in str(back)
    assert b64encode(b"a password").decode() not in str(back)
