"""Folders with files of all kinds, good and bad, read by the reader and by directory readers."""

import json
import os
import shutil

import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import ImageDocument, NodeRelationship
from llama_index.core.storage.docstore import SimpleDocumentStore

from framesift import KeyframeShelf
from framesift.errors import CorruptVideoError, MissingDependencyError

BAD = {
    "cut.mp4": "cannot be opened as video",
    "dangling.mp4": "does not exist",
    "empty.mp4": "is empty",
    "fifo.mp4": "is not a regular file",
    "junk.MKV": "cannot be opened as video",
    "ring.mp4": "cannot be read: Too many levels of symbolic links",
}
"""Files of the folder below that hold no video, and what is said of each."""
GOOD = ("a", "latin", "list", "number", "object", "deep", "caf\ufffd")
SUBTITLES = {"list": "[]", "number": "5", "object": '{"events": [{"segs": 5}]}', "deep": "[" * 9999}


@pytest.fixture
def folder(clips_made, tmp_path):
    """A folder of twenty names: seven videos, six of which have something odd, and bad files."""
    folder, video = tmp_path / "videos", clips_made / "number.mp4"
    folder.mkdir()
    for name in ("a", "latin", *SUBTITLES):
        shutil.copy(video, folder / f"{name}.mp4")
    shutil.copy(video, os.fsencode(folder) + b"/caf\xe9.mp4")
    for name, text in SUBTITLES.items():
        (folder / f"{name}.json3").write_text(text)
    (folder / "latin.srt").write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\ncaf\xe9\n")
    (folder / "cut.mp4").write_bytes(video.read_bytes()[:900])
    (folder / "junk.MKV").write_bytes(bytes(range(256)) * 9)
    (folder / "empty.mp4").touch()
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "fifo.mp4")
    (folder / "dangling.mp4").symlink_to(folder / "gone.mp4")
    (folder / "ring.mp4").symlink_to(folder / "ring.mp4")
    return folder


def problems(documents):
    return {
        doc.metadata["source"].rpartition("/")[2]: doc.metadata["problem"]
        for doc in documents
        if "problem" in doc.metadata
    }


def check(documents, bad):
    found = problems(documents)
    assert sorted(found) == sorted(bad)
    for name, line in found.items():
        assert BAD[name] in line
        assert "\n" not in line
    shown = [doc for doc in documents if isinstance(doc, ImageDocument)]
    assert sorted(doc.metadata["title"] for doc in shown) == sorted(GOOD)
    for doc in documents:
        json.loads(doc.to_json())["metadata"]["source"].encode()
    nodes = IngestionPipeline(transformations=[SentenceSplitter()]).run(documents=documents)
    assert len(nodes) == len(documents)


def test_bad_files_of_a_folder_are_left_out_with_the_reason(make_reader, folder):
    documents = make_reader().load_data(folder)
    check(documents, BAD)
    assert len({doc.id_ for doc in documents}) == len(documents) == 2 * len(GOOD) + len(BAD)


def test_bad_files_of_a_directory_reader_are_left_out_with_the_reason(make_reader, folder, capfd):
    for name in ("dangling.mp4", "ring.mp4"):
        (folder / name).unlink()  # the directory reader itself ends at these
    found = SimpleDirectoryReader(folder, file_extractor=make_reader().file_extractor())
    check(
        [doc for doc in found.load_data() if "source" in doc.metadata],
        BAD.keys() - {"dangling.mp4", "ring.mp4"},
    )
    assert "Skipping" not in capfd.readouterr().out


def test_a_name_that_is_no_utf8_leads_to_its_file(make_reader, folder):
    first = make_reader().load_data(folder)
    (source,) = {doc.metadata["source"] for doc in first if doc.metadata["title"] == "caf\ufffd"}
    again = make_reader().load_data(source)
    known = {doc.id_: doc.to_dict() for doc in first}
    assert [doc.to_dict() for doc in again] == [known[doc.id_] for doc in again]


def test_endings_of_videos_are_those_of_a_folder_read(make_reader, clips_made, tmp_path):
    for name in ("a.wmv", "b.flv", "c.3GP", "d.m2ts"):
        shutil.copy(clips_made / "number.mp4", tmp_path / name)
    found = SimpleDirectoryReader(tmp_path, file_extractor=make_reader().file_extractor())
    sources = {doc.metadata["source"] for doc in found.load_data()}
    assert sources == {doc.metadata["source"] for doc in make_reader().load_data(tmp_path)}
    assert len(sources) == 4


def test_a_directory_reader_reads_another_file_system(make_reader, clips_made):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    good = (clips_made / "number.mp4").read_bytes()
    memory.pipe({"/all kinds/a.mp4": good, "/all kinds/b.mp4": b"no video"})
    reader = make_reader().file_extractor()
    found = SimpleDirectoryReader("/all kinds", fs=memory, file_extractor=reader).load_data()
    sources = [doc.metadata["source"] for doc in found]
    assert sources == ["memory:///all kinds/a.mp4"] * 2 + ["memory:///all kinds/b.mp4"]
    assert list(problems(found)) == ["b.mp4"]


def test_what_stands_for_a_bad_video_has_the_id_that_the_video_gets(
    make_reader, clips_made, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for place in ("talk.mp4", "file:talk.mp4#t=1,2", "talk.mp4#t=1,2"):
        (tmp_path / "talk.mp4").write_bytes(b"not yet")
        (bad,) = make_reader().load_data([place])
        assert bad.metadata["problem"]
        shutil.copy(clips_made / "number.mp4", "talk.mp4")
        assert make_reader().load_data(place)[0].id_ == bad.id_


def test_what_stands_for_a_bad_link_holds_no_secret(make_reader, caplog):
    places = ["https://ann:pw@127.0.0.1:9/x.mp4?token=pw&v=1", "data:video/mp4;base64,AAAA"]
    link, data = make_reader().load_data(places)
    assert link.metadata["source"] == "https://127.0.0.1:9/x.mp4?token=...&v=1"
    assert data.metadata["source"] == "data:video/mp4;base64,..."
    assert "pw" not in link.to_json() + caplog.text


def test_a_bad_video_raises_alone_and_where_that_is_asked_for(make_reader, folder):
    with pytest.raises(CorruptVideoError):
        make_reader().load_data(folder / "cut.mp4")
    with pytest.raises(CorruptVideoError):
        make_reader(raise_on_error=True).load_data([folder / "a.mp4", folder / "cut.mp4"])
    (told,) = make_reader().load_data([folder / "cut.mp4"])
    assert told.metadata["title"] == "cut"
    assert told.text == f"cut: {told.metadata['problem']}"


def test_a_directory_reader_is_told_where_that_is_asked_for(make_reader, folder, capsys):
    options = {
        "input_files": [folder / "cut.mp4"],
        "file_extractor": make_reader(raise_on_error=True).file_extractor(),
    }
    assert SimpleDirectoryReader(**options).load_data() == []
    assert "Skipping" in capsys.readouterr().out
    with pytest.raises(Exception, match="Error loading file") as told:
        SimpleDirectoryReader(**options, raise_on_error=True).load_data()
    assert isinstance(told.value.__cause__, CorruptVideoError)


def test_what_is_no_fault_of_a_video_ends_the_reading(make_reader, folder, monkeypatch):
    def missing(shelf, video):
        raise MissingDependencyError("pip install what is missing")

    monkeypatch.setattr(KeyframeShelf, "read", missing)
    with pytest.raises(MissingDependencyError):
        make_reader().load_data(folder)


def test_a_mended_video_takes_the_place_of_its_problem(make_reader, clips_made, tmp_path):
    (tmp_path / "talk.mp4").write_bytes(b"not yet")
    (before,) = make_reader().load_data([tmp_path])
    shutil.copy(clips_made / "number.mp4", tmp_path / "talk.mp4")
    after, _ = make_reader().load_data([tmp_path / "talk.mp4"])
    assert before.id_ == after.id_
    assert "problem" not in after.metadata


def check_relations(documents, store):
    videos = [doc for doc in documents if NodeRelationship.CHILD in doc.relationships]
    assert videos
    for video in videos:
        parts = [store.get_document(info.node_id) for info in video.child_nodes]
        assert [part.metadata["segment"] for part in parts] == list(range(1, len(parts) + 1))
        assert {part.parent_node.node_id for part in parts} == {video.id_}


@pytest.mark.parametrize("by_name", [True, False])
def test_relations_are_whole_whoever_names_the_documents(
    make_reader, clips_made, tmp_path, by_name
):
    documents = SimpleDirectoryReader(
        clips_made,
        file_extractor=make_reader(segment_seconds=3).file_extractor(),
        filename_as_id=by_name,
    ).load_data()
    store = SimpleDocumentStore()
    store.add_documents(documents)
    store.persist(str(tmp_path / "store.json"))
    back = SimpleDocumentStore.from_persist_path(str(tmp_path / "store.json"))
    check_relations(documents, back)
    names = {doc.id_ for doc in documents}
    assert (f"{clips_made}/number.mp4_part_1" in names) == by_name


def test_a_copy_that_gets_another_name_takes_no_relations_along(make_reader, clips_made):
    video, part = make_reader().load_data(clips_made / "number.mp4")
    for copied in (part.model_copy(), part.model_copy(deep=True)):
        copied.id_ = "another"
    assert [info.node_id for info in video.child_nodes] == [part.id_]
    part.node_id = "renamed"
    assert [info.node_id for info in video.child_nodes] == ["renamed"]


@pytest.mark.slow
def test_two_processes_read_what_one_does(make_reader, folder):
    for name in ("dangling.mp4", "ring.mp4"):
        (folder / name).unlink()
    found = SimpleDirectoryReader(
        folder, file_extractor=make_reader().file_extractor(), filename_as_id=True
    )
    alone = [doc.to_dict() for doc in found.load_data()]
    documents = found.load_data(num_workers=2)
    assert [doc.to_dict() for doc in documents] == alone
    store = SimpleDocumentStore()
    store.add_documents(documents)
    check_relations(documents, store)


def test_a_document_of_a_link_is_stored_and_read_back(make_reader, tmp_path):
    link = "synthetic://number?seed=3"
    store = SimpleDocumentStore()
    store.add_documents(make_reader().load_data(link))
    store.persist(str(tmp_path / "store.json"))
    back = SimpleDocumentStore.from_persist_path(str(tmp_path / "store.json"))
    urls = [str(d.video_resource.url) for d in back.docs.values() if d.video_resource]
    assert urls == [link]
