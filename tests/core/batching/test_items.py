"""What a batch is about, read from folders, patterns and manifests."""

import csv
import json

import pytest

from framesift.batching.items import items_of
from framesift.batching.work import OWN
from framesift.errors import FramesiftError, InvalidOptionError, SourceError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions

arrow = pytest.importorskip("pyarrow")


def items(where):
    return items_of(where, allowed=OWN, limits=FetchLimits(), site=SiteOptions())


@pytest.fixture
def folder(tmp_path):
    for name in ("b.mp4", "a/z.MKV", ".hidden/c.mp4", "notes.txt", ".d.mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "clips"


def test_a_folder_gives_paths_from_there_on(folder):
    assert [item.id for item in items(folder)] == ["a/z.MKV", "b.mp4"]
    assert [item.video for item in items(str(folder))][1] == str(folder / "b.mp4")


def test_names_that_look_like_addresses_are_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "data:x.mp4").touch()
    for where in (".", "*.mp4", "data:x.mp4"):
        assert str(folder / "data:x.mp4") in [item.video for item in items(where)]


def test_a_pattern_gives_files(folder):
    assert [item.id for item in items(f"{folder}/**/*.mp4")] == [str(folder / "b.mp4")]
    with pytest.raises(InvalidOptionError, match="no file matches"):
        items(f"{folder}/*.webm")


ROWS = [
    {"video": "https://example.org/a.mp4", "question": "Who speaks?"},
    {"video": "b.mp4", "id": "second", "keep": 0.1},
]


def written(folder, kind):
    path = folder / f"videos.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)) + "\n\n")
    elif kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["video", "id", "question", "keep"])
            writer.writeheader()
            writer.writerows(ROWS)
    else:
        import pyarrow.parquet

        pyarrow.parquet.write_table(
            arrow.Table.from_pylist(
                [
                    {name: row.get(name) for name in ("video", "id", "question", "keep")}
                    for row in ROWS
                ]
            ),
            path,
        )
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_manifests_give_ids_options_and_questions(folder, kind):
    first, second = items(written(folder, kind))
    assert (first.id, first.video) == (ROWS[0]["video"],) * 2
    assert first.own == {"question": "Who speaks?"}
    assert (second.id, second.video) == ("second", str(folder / "b.mp4"))
    assert {name: float(value) for name, value in second.own.items()} == {"keep": 0.1}


def test_a_text_file_has_an_address_a_line(folder):
    path = folder / "list.txt"
    path.write_text("# mine\nhttps://example.org/a.mp4\n\nb.mp4\n")
    assert [item.id for item in items(path)] == ["https://example.org/a.mp4", "b.mp4"]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", b'{"video": "a"}\n{"video"', "line 2: it is not JSON"),
        ("a.jsonl", b"[1]", "line 1: [1] must be an object"),
        ("a.jsonl", b'{"vidoe": "a"}', "line 1: there is no option 'vidoe' of a row"),
        ("a.jsonl", b'{"keep": 0.5}', "line 1: video=None must be an address"),
        ("a.jsonl", b'{"video": "a", "keep": NaN}', "line 1: it is not JSON (NaN is no number"),
        ("a.jsonl", b'{"video": "a", "count": true}', "line 1: count=True must be a number"),
        ("a.jsonl", b'{"video": "a", "kep": 1}', "line 1: there is no option 'kep' of a row"),
        ("a.jsonl", b'{"video": "a", "id": [1]}', "line 1: id=[1] must be a text"),
        ("a.csv", b"video,keep\na,0.5\n,0.5\n", "line 3: video=None"),
        ("a.csv", b"video\na,b,c\n", "line 2: it has 3 cells, and line 1 names 1 columns"),
        (
            "a.csv",
            b"vidoe,keep\na,0.5\n",
            "line 1: it names the columns, and 'vidoe,keep' has none",
        ),
        ("a.csv", b"video,keep\na,half\n", "line 2: keep='half' must be a number"),
        ("a.csv", b'video,keep\n"a,0.5\n', "line 2: unexpected end of data"),
        ("a.csv", b"", "line 1: it names the columns"),
        ("a.txt", b"ok\n\xff\xfe", "line 2: it is not UTF-8"),
        ("a.parquet", b"PAR1", "a.parquet is not a Parquet file"),
        ("a.txt", b"\n", "a.txt names no video"),
    ],
)
def test_a_wrong_manifest_is_named_with_its_line(tmp_path, name, content, line):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FramesiftError) as caught:
        items(tmp_path / name)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfvideo,keep,count\r\na.mp4,0.5,4\r\n\r\n",
        b"video;keep;count\na.mp4;0.5;4\n",
        b'video\tcount\tkeep\n"a.mp4"\t4.0\t0.50\n',
    ],
)
def test_tables_of_other_programs_are_read(folder, content):
    (folder / "videos.csv").write_bytes(content)
    (item,) = items(folder / "videos.csv")
    assert (item.id, item.own) == ("a.mp4", {"keep": 0.5, "count": 4})


def test_texts_hold_what_looks_like_an_end_of_a_line(folder):
    (folder / "a.jsonl").write_text('{"video": "a.mp4", "question": "one\u2028two"}\r\n')
    assert items(folder / "a.jsonl")[0].own == {"question": "one\u2028two"}


def test_ids_are_each_of_one_video(folder):
    path = folder / "twice.txt"
    path.write_text("a.mp4\na.mp4\n")
    with pytest.raises(InvalidOptionError, match=r"1 ids come more than once, such as 'a\.mp4'"):
        items(path)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match="is not there; give a folder"):
        items(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidOptionError, match="names no video"):
        items(tmp_path / "empty")
