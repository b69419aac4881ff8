"""What reads the results of a batch in one line, with the libraries of `make test-batch`."""

import pytest

import framesift
from framesift.batching.work import work_on
from framesift.testing.videos import write_video

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.batch


def here(work, items, store, workers):
    for item in items:
        yield work_on(work, item, store)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The folder of a batch of two videos of two segments each, and of one that failed."""
    folder = tmp_path_factory.mktemp("readers")
    (folder / "clips").mkdir()
    for name in ("a", "b"):
        write_video(folder / "clips" / f"{name}.mp4", 100)
    (folder / "clips" / "c.mp4").write_bytes(b"nothing")
    framesift.batch(folder / "clips", folder / "out", "segments", seconds_each=2, engine=here)
    return folder / "out"


NAMES = ["a.mp4", "a.mp4", "b.mp4", "b.mp4", "c.mp4"]


def test_pandas(results):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(results / "data")
    assert frame["id"].tolist() == NAMES
    assert frame["end_seconds"].tolist()[:4] == [1.5, 4.0, 1.5, 4.0]
    assert all((results / picture).is_file() for picture in frame["picture"].dropna())


def test_polars(results):
    polars = pytest.importorskip("polars")
    frame = polars.scan_parquet(results / "data").collect()
    assert frame["id"].to_list() == NAMES
    assert frame.filter(polars.col("status") == "failed")["id"].to_list() == NAMES[4:]


def test_datasets(results, tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(str(results / "data"), split="train", cache_dir=str(tmp_path))
    assert rows["id"][:] == NAMES
    assert rows[0]["segments"] == 2
