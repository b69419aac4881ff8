"""Documents of videos in stores, ingestion pipelines and retrieval."""

import shutil

import pytest
from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import (
    Document,
    ImageDocument,
    ImageNode,
    MediaResource,
    NodeWithScore,
    TextNode,
)
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore
from PIL import Image

from framesift.errors import CorruptVideoError, InvalidOptionError, UnknownNameError
from framesift.selectors.keyframes import Keyframes
from llama_index.readers.framesift import FramesiftFramePostprocessor, FramesiftVideoSplitter


def test_the_cache_of_a_pipeline_tells_videos_of_one_name_apart(make_reader, write_video, tmp_path):
    pipeline = IngestionPipeline(transformations=[SentenceSplitter()])
    texts, pictures = set(), set()
    for quality in ("10", "45"):
        folder = tmp_path / quality
        folder.mkdir()
        path = write_video(folder / "talk.mp4", codec_options={"crf": quality})
        documents = make_reader().load_data(path)[1:]
        nodes = pipeline.run(documents=documents)
        assert [node.image_path for node in nodes] == [doc.image_path for doc in documents]
        assert [node.metadata["source"] for node in nodes] == [str(path)]
        texts.update(node.text for node in nodes)
        pictures.update(node.image_path for node in nodes)
    assert len(texts) == 1
    assert len(pictures) == 2


def test_pictures_survive_stores_and_splitters(make_reader, clips_made, tmp_path):
    documents = make_reader().load_data(clips_made / "number.mp4")
    store = SimpleDocumentStore()
    store.add_documents(documents)
    store.persist(str(tmp_path / "store.json"))
    back = SimpleDocumentStore.from_persist_path(str(tmp_path / "store.json"))
    restored = [back.get_document(doc.id_) for doc in documents]
    restored.append(ImageDocument.from_json(documents[1].to_json()))
    nodes = SentenceSplitter().get_nodes_from_documents(documents)
    shown = [doc for doc in [*restored, *nodes] if isinstance(doc, ImageDocument | ImageNode)]
    assert len(shown) == 3
    for doc in shown:
        assert doc.image_path == documents[1].image_path
        assert doc.text == documents[1].text
        with Image.open(doc.image_path) as picture:
            assert picture.size == (640, 360)


def test_an_upsert_takes_a_video_once_and_again_when_it_changed(
    make_reader, clips_made, embedding, tmp_path
):
    pipeline = IngestionPipeline(
        transformations=[FramesiftVideoSplitter(), embedding],
        docstore=SimpleDocumentStore(),
        vector_store=SimpleVectorStore(),
        disable_cache=True,
    )
    reader, path = make_reader(), tmp_path / "video.mp4"
    shutil.copy(clips_made / "number.mp4", path)
    assert len(pipeline.run(documents=reader.load_data(path))) == 2
    assert pipeline.run(documents=reader.load_data(path)) == []
    shutil.copy(clips_made / "cuts.mp4", path)
    changed = pipeline.run(documents=reader.load_data(path))
    assert [node.metadata["content_sha256"] for node in changed] == [
        doc.metadata["content_sha256"] for doc in reader.load_data(path)
    ]
    assert len(pipeline.docstore.docs) == 2


@pytest.mark.parametrize("strategy", list(DocstoreStrategy))
@pytest.mark.parametrize("disable_cache", [True, False])
def test_an_unchanged_file_costs_no_embedding_whatever_changed_beside_it(
    make_reader, clips_made, counted, tmp_path, strategy, disable_cache
):
    folder = tmp_path / "files"
    shutil.copytree(clips_made, folder)
    (folder / "notes.txt").write_text("buy bread")
    (folder / "broken.mp4").write_bytes(b"no video")
    vectors = SimpleVectorStore()

    def embedded():
        found = SimpleDirectoryReader(
            folder, file_extractor=make_reader().file_extractor(), filename_as_id=True
        )
        store = SimpleDocumentStore()
        if kept.exists():
            store = SimpleDocumentStore.from_persist_path(str(kept))
        pipeline = IngestionPipeline(
            transformations=[SentenceSplitter(), counted],
            docstore=store,
            vector_store=vectors,
            docstore_strategy=strategy,
            disable_cache=disable_cache,
        )
        counted.embedded.clear()
        pipeline.run(documents=found.load_data())
        store.persist(str(kept))
        return len(counted.embedded)

    kept = tmp_path / "store.json"
    assert [embedded(), embedded()] == [6, 0]
    (folder / "notes.txt").write_text("buy butter")
    assert [embedded(), embedded()] == [1, 0]
    shutil.copy(clips_made / "cuts.mp4", folder / "number.mp4")
    assert [embedded(), embedded()] == [2, 0]
    (folder / "notes.txt").unlink()
    (folder / "number.mp4").unlink()
    assert embedded() == 0
    if strategy == DocstoreStrategy.UPSERTS_AND_DELETE:
        assert len(vectors.data.embedding_dict) == 3


def test_the_cache_tells_videos_apart_that_are_all_of_their_documents(make_reader, clips_made):
    pipeline = IngestionPipeline(transformations=[FramesiftVideoSplitter(reader=make_reader())])
    paths = [clips_made / "number.mp4", clips_made / "cuts.mp4", clips_made / "number.mp4"]
    for path in paths:
        document = Document(video_resource=MediaResource(path=path))
        (node,) = pipeline.run(documents=[document])
        assert node.metadata["source"] == str(path)


def test_a_splitter_leaves_what_it_cannot_read_and_tries_it_again(
    make_reader, clips_made, tmp_path, embedding
):
    path = tmp_path / "talk.mp4"
    pipeline = IngestionPipeline(
        transformations=[FramesiftVideoSplitter(reader=make_reader()), embedding],
        docstore=SimpleDocumentStore(),
        vector_store=SimpleVectorStore(),
    )

    def run():
        held = MediaResource(path=path)
        document = Document(id_="talk", text="A talk", video_resource=held)
        good = Document(id_="words", text="Words")
        return pipeline.run(documents=[document, good])

    path.write_bytes(b"not yet")
    bad, _ = run()
    assert "cannot be opened as video" in bad.metadata["problem"]
    assert bad.get_content("embed") == "A talk"
    shutil.copy(clips_made / "number.mp4", path)
    (node,) = run()
    assert isinstance(node, ImageNode)
    assert "problem" not in node.metadata
    strict = FramesiftVideoSplitter(reader=make_reader(raise_on_error=True))
    path.write_bytes(b"broken again")
    with pytest.raises(CorruptVideoError):
        strict([Document(video_resource=MediaResource(path=path))])


def test_a_splitter_tries_the_same_document_again_and_minds_no_problem_of_others(
    make_reader, clips_made, tmp_path
):
    path, splitter = tmp_path / "talk.mp4", FramesiftVideoSplitter(reader=make_reader())
    path.write_bytes(b"not yet")
    document = Document(video_resource=MediaResource(path=path))
    for _ in range(2):
        assert splitter([document]) == [document]
        assert document.excluded_embed_metadata_keys == ["problem"]
    shutil.copy(clips_made / "number.mp4", path)
    (node,) = splitter([document])
    assert "problem" not in node.metadata
    ticket = Document(video_resource=MediaResource(path=path), metadata={"problem": "no sound"})
    (node,) = splitter([ticket])
    assert isinstance(node, ImageNode)
    assert node.metadata["problem"] == "no sound"


def test_an_index_finds_the_scene_by_its_title(make_reader, embedding):
    documents = make_reader(segment_seconds=3).load_data("synthetic://cuts?seconds=9&seed=2")
    index = VectorStoreIndex.from_documents(documents, embed_model=embedding)
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("part with the desert")
    assert isinstance(found.node, ImageNode)
    assert found.metadata["start_seconds"] <= 4 <= found.metadata["end_seconds"]


def test_an_index_on_disk_keeps_the_pictures(make_reader, clips_made, embedding, tmp_path):
    documents = make_reader().load_data(clips_made / "number.mp4")
    index = VectorStoreIndex.from_documents(documents[1:], embed_model=embedding)
    index.storage_context.persist(str(tmp_path / "index"))
    context = StorageContext.from_defaults(persist_dir=str(tmp_path / "index"))
    (node,) = context.docstore.docs.values()
    assert node.image_path == documents[1].image_path


@pytest.mark.clips
def test_the_red_car_is_found_among_the_real_clips(make_reader, clips, embedding):
    # Four cars pass in half a minute, so two stretches of 15 seconds cannot show each of them.
    documents = make_reader(segment_seconds=10).load_data(clips)
    index = VectorStoreIndex.from_documents(documents, embed_model=embedding)
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("When does the red car drive by?")
    assert found.metadata["title"] == "car-detection"
    assert 15.0 <= found.metadata["keyframe_seconds"] <= 18.5
    assert found.metadata["start_seconds"] <= 15.5
    assert found.metadata["end_seconds"] >= 18.5


def test_the_splitter_turns_videos_of_others_into_image_nodes(make_reader, clips_made):
    path = clips_made / "cuts.mp4"
    mine = Document(
        text="a talk", video_resource=MediaResource(path=path), metadata={"speaker": "Ada"}
    )
    text, ours = Document(text="only words"), make_reader().load_data(path)
    splitter = FramesiftVideoSplitter(reader=make_reader(segment_seconds=3))
    nodes = IngestionPipeline(transformations=[splitter]).run(documents=[mine, text, *ours])
    made, rest = nodes[:3], nodes[3:]
    assert [node.class_name() for node in made] == ["ImageNode"] * 3
    assert all(node.ref_doc_id == mine.id_ for node in made)
    assert all(node.metadata["speaker"] == "Ada" for node in made)
    assert len({node.id_ for node in made}) == 3
    assert [node.id_ for node in rest] == [doc.id_ for doc in (text, *ours)]
    assert FramesiftVideoSplitter.from_dict(splitter.to_dict()) == splitter


def test_the_frame_that_an_answer_rests_on_stays(make_reader, clips_made):
    nodes = scored(make_reader(segment_seconds=1).load_data(clips_made / "number.mp4"))
    step = FramesiftFramePostprocessor(max_frames=2, vlm="tiny")
    kept = step.postprocess_nodes(nodes, query_str="What number flashes?")
    assert kept[0] is nodes[0]
    times = [node.metadata["keyframe_seconds"] for node in kept[1:]]
    assert 1 <= len(times) <= 2
    assert 3.0 in times


def test_without_a_model_the_selector_decides_and_is_told_the_query(
    make_reader, clips_made, monkeypatch
):
    told = []
    choose = Keyframes.choose

    def listening(self, candidates, count, question):
        told.append((len(candidates), count, question))
        return choose(self, candidates, count, question)

    monkeypatch.setattr(Keyframes, "choose", listening)
    parts = scored(make_reader(segment_seconds=1).load_data(clips_made / "number.mp4")[1:])
    words = NodeWithScore(node=TextNode(text="words"), score=0.1)
    backwards = [*reversed(parts), words]
    kept = FramesiftFramePostprocessor(max_frames=2).postprocess_nodes(backwards, query_str="why?")
    assert told == [(8, 2, "why?")]
    assert kept == [node for node in backwards if node in kept]
    assert kept[-1] is words
    assert 3.0 in [node.metadata["keyframe_seconds"] for node in kept[:-1]]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_few_pictures_stay_as_they_are(make_reader, clips_made, count):
    nodes = scored(make_reader(segment_seconds=1).load_data(clips_made / "number.mp4")[: count + 1])
    step = FramesiftFramePostprocessor(vlm="no such model")
    assert step.postprocess_nodes(nodes, query_str="why?") == nodes


def test_wrong_options_of_the_postprocessor_are_told(make_reader, clips_made):
    with pytest.raises(InvalidOptionError, match=r"^max_frames=0 "):
        FramesiftFramePostprocessor(max_frames=0)
    nodes = scored(make_reader(segment_seconds=1).load_data(clips_made / "number.mp4"))
    step = FramesiftFramePostprocessor(vlm="no such model")
    assert FramesiftFramePostprocessor.from_dict(step.to_dict()).vlm == "no such model"
    with pytest.raises(UnknownNameError, match="choose one of"):
        step.postprocess_nodes(nodes, query_str="why?")


def scored(documents):
    return [NodeWithScore(node=doc, score=0.5) for doc in documents]
