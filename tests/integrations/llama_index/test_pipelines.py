"""Documents of videos in stores, ingestion pipelines and retrieval."""

import shutil

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
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

from framesift.errors import InvalidOptionError, UnknownNameError
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
