"""Classes for pipelines of Ray Data: without a cluster they are called as an actor calls them."""

import json
import subprocess
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from safetensors.torch import load

import framesift
from framesift.errors import BudgetError, InvalidOptionError
from framesift.testing.videos import write_video

PIPELINE = """
import json, sys
import ray

from framesift_ray import Compress, Decode, Encode

folder, out = sys.argv[1:]
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
one = dict(batch_size=1, compute=ray.data.ActorPoolStrategy(size=1))
videos = ray.data.from_items(
    [{"video": f"{folder}/{name}.mp4", "label": name} for name in ("06", "07", "damaged")]
)
decoded = videos.map_batches(Decode, fn_constructor_kwargs={"keep": 0.5}, num_cpus=1, **one)
given = {"keep": 0.5, "out": out}
made = decoded.map_batches(Encode, fn_constructor_kwargs=given, num_cpus=1, num_gpus=0, **one)
made.write_parquet(f"{out}/made")
ray.shutdown()
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two clips, and a file that is none."""
    folder = tmp_path_factory.mktemp("pair")
    for number in (3, 5):
        write_video(folder / f"{number}.mp4", 25 * number)
    (folder / "damaged.mp4").write_bytes(b"nothing")
    return folder


def batch_of(pair):
    names = ["3.mp4", "5.mp4", "damaged.mp4"]
    return {
        "video": np.array([str(pair / name) for name in names]),
        "keep": np.array([0.5, 0.25, 0.25]),
        "score": np.arange(3),
    }


def test_rows_are_those_of_a_batch_with_other_columns_beside(pair, tmp_path):
    from framesift_ray import Compress

    made = Compress(out=str(tmp_path / "made"))(batch_of(pair))
    columns = zip(*batch_of(pair).values(), strict=True)
    lines = [{"video": video, "keep": keep} for video, keep, _ in columns]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    framesift.batch(tmp_path / "list.jsonl", tmp_path / "out", workers=1)
    wanted = pyarrow.parquet.read_table(tmp_path / "out" / "data")
    assert (
        made.drop_columns(["score", "keep"]).cast(wanted.schema).to_pylist() == wanted.to_pylist()
    )
    assert made.column("score").to_pylist() == [0, 1, 2]
    for row in made.to_pylist()[:2]:
        names = (row["tokens"], row["report"])
        assert all(
            (tmp_path / "made" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
            for name in names
        )


def test_decoding_and_encoding_apart_give_the_tokens_of_compress(pair):
    from framesift_ray import Decode, Encode

    decoded = Decode(fps=2.0)(batch_of(pair))
    assert decoded.column_names == ["video", "keep", "score", "frames"]
    rows = Encode(fps=2.0)(decoded).to_pylist()
    assert [row["status"] for row in rows] == ["done", "done", "failed"]
    assert "cannot be opened as video" in rows[2]["error"]
    assert "frames" not in rows[0]
    for row, keep in zip(rows, (0.5, 0.25), strict=False):
        here = framesift.VideoCompressor(fps=2.0, keep=keep).compress(row["video"])
        assert load(row["tokens"])["tokens"].equal(here.tokens)
        assert json.loads(row["report"])["tokens_out"] == here.report.tokens_out


def test_segments_are_rows_with_their_pictures(pair):
    from framesift_ray import Compress

    table = pyarrow.table({"video": [str(pair / "5.mp4")], "score": [7]})
    rows = Compress(task="segments", seconds_each=2.0)(table).to_pylist()
    here = framesift.VideoCompressor().moments(pair / "5.mp4", seconds_each=2.0)
    assert len(here) > 1
    assert [(row["end_seconds"], row["score"]) for row in rows] == [
        (round(moment.segment.end_seconds, 6), 7) for moment in here
    ]
    assert all(row["picture"].startswith(b"\xff\xd8") for row in rows)
    (row,) = Compress(task="keyframes", count=2)(table).to_pylist()
    assert [frame["picture"][:2] for frame in row["keyframes"]] == [b"\xff\xd8"] * 2


def test_rows_may_have_no_other_columns_than_those_of_the_result(pair):
    from framesift_ray import Compress

    video = str(pair / "3.mp4")
    table = pyarrow.table({"video": [video, None, video], "id": [0, 1, None]})
    rows = Compress()(table).to_pylist()
    assert [(row["id"], row["status"]) for row in rows] == [
        *(("0", "done"), ("1", "failed"), (video, "done"))
    ]
    assert "'' of type str is not an address of a video" in rows[1]["error"]


def test_rows_without_an_option_of_others_take_that_of_all(pair):
    """Ray gives a batch of NumPy NaN for what a row does not say, and 2.0 for 2 beside it."""
    from framesift_ray import Compress

    video, nothing = str(pair / "5.mp4"), np.nan
    batch = {
        "video": np.array([video] * 2),
        "id": np.array([7, nothing]),
        "keep": np.array([0.5, nothing]),
        "max_frames": np.array([nothing, 2]),
    }
    rows = Compress(keep=0.25)(batch).to_pylist()
    assert [row["id"] for row in rows] == ["7", video]
    for row, own in zip(rows, ({"keep": 0.5}, {"keep": 0.25, "max_frames": 2}), strict=True):
        here = framesift.VideoCompressor(**own).compress(video)
        assert load(row["tokens"])["tokens"].equal(here.tokens)


def test_wrong_rows_and_options_are_named(pair):
    from framesift_ray import Compress, Decode, Encode

    with pytest.raises(InvalidOptionError, match="task='sing' must be one of compress, keyframes"):
        Compress(task="sing")
    with pytest.raises(InvalidOptionError, match="task 'ask' is done by a model; give one by vlm="):
        Compress(task="ask", question="Who speaks?")
    with pytest.raises(InvalidOptionError, match="have a column 'frames' already"):
        Decode()(pyarrow.table({"video": ["a.mp4"], "frames": [b""]}))
    with pytest.raises(InvalidOptionError, match="have no column 'video', but path"):
        Compress()(pyarrow.table({"path": ["a.mp4"]}))
    with pytest.raises(InvalidOptionError, match="have no column 'frames', but video"):
        Encode()(pyarrow.table({"video": ["a.mp4"]}))
    with pytest.raises(BudgetError, match="keep=2"):
        Compress(keep=2)


def test_a_pipeline_on_a_cluster(library, trial, tmp_path):
    subprocess.run(
        [sys.executable, "-c", PIPELINE, str(library), str(tmp_path)],
        env=trial.env,
        check=True,
        timeout=400,
        stdout=subprocess.DEVNULL,
    )
    made = pyarrow.parquet.read_table(tmp_path / "made").to_pylist()
    rows = {row["label"]: row for row in made}
    assert {name: row["status"] for name, row in rows.items()} == {
        **{"06": "done", "07": "done", "damaged": "failed"}
    }
    for name in ("06", "07"):
        here = framesift.VideoCompressor(keep=0.5).compress(library / f"{name}.mp4")
        there = load((tmp_path / rows[name]["tokens"]).read_bytes())
        assert there["tokens"].equal(here.tokens)
