"""Moments of videos come as documents: LangChain's standard suite, and what is found."""

import pickle
from pathlib import Path

import pytest

pytest.importorskip("langchain_tests")
pytest.importorskip("transformers")

from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from langchain_tests.integration_tests import RetrieversIntegrationTests

import framesift
from framesift.errors import InvalidOptionError
from langchain_framesift import VideoLoader, VideoRetriever

NUMBERS = [f"synthetic://number?seed={seed}" for seed in (3, 4, 5)]
QUESTION = "What number flashes?"


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


class TestStandard(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self):
        return VideoRetriever

    @property
    def retriever_constructor_params(self):
        return {"videos": NUMBERS, "model": "tiny"}

    @property
    def retriever_query_example(self):
        return QUESTION


@pytest.fixture(scope="module")
def retriever():
    return VideoRetriever(videos=NUMBERS[:1], model="tiny")


def test_a_moment_is_a_document_with_its_times_and_picture(retriever):
    (found,) = retriever.invoke(QUESTION)
    (expected,) = framesift.VideoCompressor(vlm="tiny").find(NUMBERS[0], QUESTION)
    assert found.page_content == expected.segment.caption()
    metadata = found.metadata
    assert metadata["start_seconds"] == expected.segment.start_seconds
    assert metadata["score"] == expected.segment.score
    assert metadata["source"] == expected.segment.link
    assert Path(metadata["keyframe_path"]).read_bytes().startswith(b"\xff\xd8\xff")
    assert retriever.invoke("What color is the hexagon?") == []


def test_the_documents_that_moments_lie_in_come_back_the_best_first(retriever):
    documents = VideoLoader(*NUMBERS[:2], "gone.mp4", continue_on_error=True, seconds_each=2).load()
    over = VideoRetriever(documents=documents, model="tiny", loaded=retriever.loaded)
    found = over.invoke(QUESTION)
    assert {each.id for each in found} <= {each.id for each in documents}
    assert {each.metadata["video"] for each in found} == set(NUMBERS[:2])
    scores = [each.metadata["score"] for each in found]
    assert scores == sorted(scores, reverse=True)
    (moment,) = retriever.invoke(QUESTION)
    same = next(each for each in found if each.metadata["video"] == NUMBERS[0])
    middle = (moment.metadata["start_seconds"] + moment.metadata["end_seconds"]) / 2
    assert same.metadata["start_seconds"] <= middle <= same.metadata["end_seconds"]
    assert "score" not in documents[0].metadata


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, "searches either videos or documents; give one of them"),
        ({"videos": NUMBERS, "k": 0}, "^k=0 is not allowed"),
        ({"videos": NUMBERS, "top_k": 3}, "VideoRetriever has no option 'top_k'"),
        ({"videos": NUMBERS, "stratgy": "temporal"}, "did you mean 'strategy'"),
        ({"videos": [b"bytes"]}, "^videos.0"),
        ({"documents": [Document("text")]}, "one of the documents is of no video"),
    ],
)
def test_what_is_wrong_is_told_when_the_retriever_is_made(given, line):
    with pytest.raises(InvalidOptionError, match=line) as refused:
        VideoRetriever(model="tiny", **given)
    assert "\n" not in str(refused.value)


def test_a_misspelt_option_of_a_call_is_told(retriever):
    with pytest.raises(InvalidOptionError, match="invoke has no option 'kk'"):
        retriever.invoke(QUESTION, kk=1)


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_a_dump_names_neither_a_login_nor_credentials():
    site = framesift.SiteOptions(cookies_from_browser="firefox:private")
    videos = ["https://user:secret@example.com/a.mp4?token=hidden#t=1,2", "talk.mp4#t=1,2"]
    trusting = framesift.FetchLimits()
    made = VideoRetriever(videos=videos, model="tiny", site=site, limits=trusting)
    written = dumps(made)
    assert all(word not in written for word in ("secret", "hidden", "firefox"))
    assert "secret" not in repr(made)
    read = loads(
        written, valid_namespaces=["langchain_framesift"], allowed_objects=[VideoRetriever]
    )
    assert read.videos[1] == "talk.mp4#t=1,2"
    assert not read.site.has_cookies
    assert pickle.loads(pickle.dumps(made)).videos == made.videos
