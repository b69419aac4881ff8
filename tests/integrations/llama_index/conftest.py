"""What the tests of LlamaIndex share: a cache of their own, and an embedding without a model."""

import asyncio
import re
import shutil
from zlib import crc32

import pytest
from llama_index.core.embeddings import BaseEmbedding

from framesift import open_video
from llama_index.readers.framesift import FramesiftVideoReader


class BagOfWords(BaseEmbedding):
    """Counts the words of a text."""

    def _get_text_embedding(self, text):
        counts = [0.0] * 1024
        for word in re.findall("[a-z]+", text.lower()):
            counts[crc32(word.encode()) % 1024] += 1
        return counts

    def _get_query_embedding(self, query):
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query):
        return self._get_text_embedding(query)


class CountedEmbedding(BagOfWords):
    """Remembers what it was asked to embed."""

    embedded: list[str] = []

    def _get_text_embedding(self, text):
        self.embedded.append(text)
        return super()._get_text_embedding(text)


@pytest.fixture
def embedding():
    return BagOfWords()


@pytest.fixture
def counted():
    return CountedEmbedding()


@pytest.fixture
def own_loop():
    """An event loop that is closed at the end; LlamaIndex leaves the one open that it makes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def make_reader(tmp_path):
    """Makes readers that keep their pictures in a folder of the test."""
    return lambda **options: FramesiftVideoReader(cache_dir=tmp_path / "cache", **options)


@pytest.fixture(scope="session")
def clips_made(tmp_path_factory):
    """A folder with the video in which 44 flashes, and one of three scenes."""
    folder = tmp_path_factory.mktemp("made")
    for name, uri in {
        "number": "synthetic://number?seed=3",
        "cuts": "synthetic://cuts?seconds=9&seed=2",
    }.items():
        with open_video(uri) as video:
            shutil.copy(video.path, folder / f"{name}.mp4")
    return folder
