"""Ingests a folder of videos, or a link, into an index of LlamaIndex and asks it a question."""

import argparse
import re
import shutil
from pathlib import Path
from zlib import crc32

from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms import ChatMessage, TextBlock, VideoBlock

import framesift
from llama_index.llms.framesift import FramesiftMultiModalLLM
from llama_index.readers.framesift import FramesiftVideoReader


class BagOfWords(BaseEmbedding):
    """Counts the words of a text; any embedding of LlamaIndex may take its place."""

    def _get_text_embedding(self, text: str) -> list[float]:
        counts = [0.0] * 1024
        for word in re.findall("[a-z]+", text.lower()):
            counts[crc32(word.encode()) % 1024] += 1
        return counts

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def demo_folder() -> Path:
    """Returns a folder with three small videos."""
    folder = Path("videos")
    folder.mkdir(exist_ok=True)
    for name in ("number?seed=3", "cuts?seconds=9&seed=2", "events?seconds=8"):
        with framesift.open_video(f"synthetic://{name}") as made:
            shutil.copy(made.path, folder / f"{name.partition('?')[0]}.mp4")
    return folder


def main() -> None:
    """Prints the stretch that the index finds, and what the model answers about it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", help="A folder, a file, or a link to YouTube, Loom and others.")
    parser.add_argument("--question", default="What number flashes?")
    parser.add_argument("--vlm", default="tiny", help="A name, a hub id or a local folder.")
    options = parser.parse_args()

    reader = FramesiftVideoReader(cache_dir=Path("pictures"))
    documents = reader.load_data(options.source or demo_folder())
    segments = [document for document in documents if "segment" in document.metadata]
    index = VectorStoreIndex.from_documents(segments, embed_model=BagOfWords())
    found = index.as_retriever(similarity_top_k=1).retrieve(options.question)[0]
    facts = found.metadata
    start, end = facts["start_seconds"], facts["end_seconds"]
    print(f"{len(segments)} segments; the question leads to {facts['source']}, {start}-{end} s")

    llm = FramesiftMultiModalLLM(model=options.vlm, limits=framesift.FetchLimits())
    source = facts["source"] if "://" in facts["source"] else Path(facts["source"]).as_uri()
    stretch = VideoBlock(url=f"{source}#t={start},{end}")
    asked = ChatMessage(role="user", blocks=[stretch, TextBlock(text=options.question)])
    answer = llm.chat([asked])
    print(answer.message.content)
    for place in answer.raw["evidence"]:
        print(f"  at {place['start_seconds']:.1f} to {place['end_seconds']:.1f} s")


if __name__ == "__main__":
    main()
