"""The results of a batch as documents."""

from pathlib import Path

import pytest
from llama_index.core import VectorStoreIndex

import framesift
from framesift.batching.work import work_on
from framesift.errors import InvalidOptionError
from framesift.testing.videos import write_video
from llama_index.readers.framesift import FramesiftBatchReader, FramesiftVideoReader

pytest.importorskip("pyarrow")


def here(work, items, store, workers):
    for item in items:
        yield work_on(work, item, store)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batch")
    (folder / "clips").mkdir()
    write_video(folder / "clips" / "talk.mp4", 100)
    (folder / "clips" / "talk.srt").write_text(
        "1\n00:00:00,000 --> 00:00:01,500\nPenguins\n\n2\n00:00:02,500 --> 00:00:03,500\nDeserts\n"
    )
    (folder / "clips" / "worse.mp4").write_bytes(b"nothing")
    for task in ("segments", "keyframes"):
        framesift.batch(folder / "clips", folder / task, task, seconds_each=2, engine=here)
    return folder


def picture_of(document):
    return Path(document.image_resource.path).read_bytes()


def test_segments_are_the_documents_that_the_video_reader_gives(folder, tmp_path):
    *segments, failed = FramesiftBatchReader().load_data(folder / "segments")
    reader = FramesiftVideoReader(segment_seconds=2, cache_dir=str(tmp_path))
    _, *read = reader.load_data(folder / "clips" / "talk.mp4")
    assert [each.text for each in segments] == [each.text for each in read]
    for ours, theirs in zip(segments, read, strict=True):
        for name in ("source", "title", "segment", "start_seconds", "keyframe_seconds", "link"):
            assert ours.metadata[name] == theirs.metadata[name], name
        assert picture_of(ours) == picture_of(theirs)
    assert failed.metadata["problem"]
    assert failed.metadata["title"] == "worse"


def test_an_index_finds_them(folder, embedding):
    documents = FramesiftBatchReader().load_data(str(folder / "segments"))
    index = VectorStoreIndex.from_documents(documents, embed_model=embedding)
    found = index.as_retriever(similarity_top_k=1).retrieve("deserts")[0]
    assert (found.metadata["segment"], found.metadata["end_seconds"]) == (2, 4.0)


def test_other_folders_are_named(folder, tmp_path):
    with pytest.raises(InvalidOptionError, match="holds a batch of another task"):
        FramesiftBatchReader().load_data(folder / "keyframes")
    with pytest.raises(InvalidOptionError, match="holds no results of a batch"):
        FramesiftBatchReader().load_data(tmp_path)
