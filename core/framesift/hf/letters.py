"""Tokenizes text from people as letters: what reads like a special token is ordinary text."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final
from weakref import WeakKeyDictionary

from framesift.errors import ModelError
from framesift.hf.checkpoint_reading import in_one_line
from framesift.registry import require
from framesift.types.text import whole_characters

Spans = list[tuple[int, int]]
"""First and last character of each token; both alike for a token that stands for no text."""

PRIVATE: Final = (range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
"""Characters that mean nothing by themselves."""
MARKUP: Final = re.compile(r"[<\[{|].+[>\]}|]", re.DOTALL)
"""Tokens that are marks although they are not listed as special ones."""
BYTE: Final = re.compile(r"<0x[0-9A-Fa-f]{2}>")
"""Tokens that stand for one byte of ordinary text."""
LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
ALIAS_LETTERS: Final = 24
"""Letters of a name that nobody can guess."""

_known: Final[WeakKeyDictionary[Any, Letters]] = WeakKeyDictionary()


class Letters:
    """How a tokenizer reads text of which only some places may become its special tokens.

    A text from people is guarded: a character that stands nowhere else, the seam, goes behind the
    first character of all that reads like a special token, so that neither a chat template nor the
    tokenizer recognises it. Without a seam in it, a text is tokenized as ever. Otherwise a copy of
    the tokenizer reads it whose special tokens have names that nobody can guess: what the template
    has written gets these names, and what people have written is letters to it.

        template and text   <|user|>What does <image> do?<|end|>
        guarded             <|user|>What does <~image> do?<|end|>
        read by the copy    qmvk...What does <image> do?xwtr...
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer: Final = tokenizer
        added = tokenizer.added_tokens_decoder.items()
        self._ids: Final = {
            str(token.content): int(number) for number, token in added if _is_mark(token)
        }

    @classmethod
    def of(cls, tokenizer: Any) -> Letters:
        """Returns the facts about a tokenizer, made once for each."""
        if tokenizer not in _known:
            _known[tokenizer] = cls(tokenizer)
        return _known[tokenizer]

    def guarded(self, text: str, seam: str, *, also: Iterable[str] = ()) -> str:
        """Returns a text with a seam in all that reads like a special token.

        Args:
            text: what somebody has written.
            seam: what `free_seam` gives.
            also: strings that are not tokens but still mean something to a chat template.
        """
        lowered = text.translate(LOWER)
        marks = {mark.translate(LOWER) for mark in (*self._ids, *also)}
        cuts = sorted({place + 1 for mark in marks for place in _places(lowered, mark)})
        edges = [0, *cuts, len(text)]
        return seam.join(text[a:b] for a, b in pairwise(edges))

    def encode(self, text: str, seam: str, *, add_special_tokens: bool) -> tuple[list[int], Spans]:
        """Returns the tokens of a text and where they stand in it, its seams counted.

        Halves of characters, which a command line or a file name may hold, count as unknown ones.

        Args:
            text: what a template has made of guarded texts.
            seam: as in `guarded`.
            add_special_tokens: whether the tokenizer adds what begins and ends every text.

        Raises:
            ModelError: the tokenizer is damaged.
        """
        text = whole_characters(text)
        with in_one_line(self._tokenizer.name_or_path, doing="read text by"):
            if seam not in text:
                encoded = self._tokenizer(
                    text, add_special_tokens=add_special_tokens, return_offsets_mapping=True
                )
                ids, spans = list(encoded["input_ids"]), [*map(tuple, encoded["offset_mapping"])]
                if self._literal(text, ids, spans):
                    return ids, spans
            return self._copy.encode(text, seam, add_special_tokens=add_special_tokens)

    def _literal(self, text: str, ids: Sequence[int], spans: Spans) -> bool:
        """Whether each special token stands where its very name does.

        A tokenizer that normalizes text may find one in other letters.
        """
        names = {number: name for name, number in self._ids.items()}
        names.pop(self._tokenizer.unk_token_id, None)
        return all(
            start == stop
            or number not in names
            or text[start:stop].strip() == names[number].strip()
            for number, (start, stop) in zip(ids, spans, strict=True)
        )

    @cached_property
    def _copy(self) -> _Copy:
        return _Copy.of(self._tokenizer, self._ids)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Copy:
    """A tokenizer whose special tokens have other names."""

    backend: Any
    ids: dict[str, int]
    """The number of each special token."""
    aliases: dict[str, str]
    """Its other name."""

    @classmethod
    def of(cls, tokenizer: Any, ids: dict[str, int]) -> _Copy:
        aliases = {
            name: "".join(secrets.choice(string.ascii_lowercase) for _ in range(ALIAS_LETTERS))
            for name in ids
        }
        settings = json.loads(tokenizer.backend_tokenizer.to_str())
        settings["truncation"] = settings["padding"] = None
        for token in settings["added_tokens"]:
            token["content"] = aliases.get(token["content"], token["content"])
        _rename(settings["model"], aliases)
        backend = require("tokenizers", extra="hf").Tokenizer.from_str(json.dumps(settings))
        moved = [name for name, alias in aliases.items() if backend.token_to_id(alias) != ids[name]]
        if moved:
            raise ModelError(
                f"the tokenizer has no fixed number for its special token {moved[0]!r}; pass a "
                "checkpoint with the tokenizer.json that belongs to it"
            )
        return cls(backend=backend, ids=ids, aliases=aliases)

    def encode(self, text: str, seam: str, *, add_special_tokens: bool) -> tuple[list[int], Spans]:
        """Returns as `Letters.encode`."""
        names = [*self._names(text, seam)]
        ids, spans = self._encoded(text, names, add_special_tokens)
        # Some a tokenizer knows in certain places only, such as behind a space: elsewhere letters.
        held = {
            (stop, number) for number, (start, stop) in zip(ids, spans, strict=True) if stop > start
        }
        known = [
            (place, name)
            for place, name in names
            if name == seam
            or any((end, self.ids[name]) in held for end in _ends(text, place + len(name)))
        ]
        return (ids, spans) if known == names else self._encoded(text, known, add_special_tokens)

    def _encoded(
        self, text: str, names: Sequence[tuple[int, str]], add_special_tokens: bool
    ) -> tuple[list[int], Spans]:
        pieces: list[str] = []
        starts: list[int] = []
        stops: list[int] = []
        end = 0
        for place, name in [*names, (len(text), "")]:
            pieces.append(text[end:place])
            starts += range(end, place)
            stops += range(end + 1, place + 1)
            end = place + len(name)
            # The letters of another name all stand where the token does.
            pieces.append(alias := self.aliases.get(name, ""))
            starts += [place] * len(alias)
            stops += [end] * len(alias)
        encoded = self.backend.encode("".join(pieces), add_special_tokens=add_special_tokens)
        starts.append(len(text))
        spans = [
            (starts[first], stops[last - 1] if last > first else starts[first])
            for first, last in encoded.offsets
        ]
        return list(encoded.ids), spans

    def _names(self, text: str, seam: str) -> Iterator[tuple[int, str]]:
        """Yields where special tokens and seams stand, the longest one where several begin."""
        encoded = sorted(
            (place, -len(name), name)
            for name in [*self.aliases, seam]
            for place in _places(text, name)
        )
        end = 0
        for place, _, name in encoded:
            if place >= end:
                end = place + len(name)
                yield place, name


def _ends(text: str, end: int) -> Iterator[int]:
    """Yields where a token may end: at `end`, or behind spaces there that it takes in."""
    yield end
    while text[end : end + 1].isspace():
        end += 1
        yield end


def free_seam(texts: Iterable[str]) -> str:
    """Returns a character that stands in none of the texts.

    Raises:
        ModelError: they hold all characters that mean nothing by themselves.
    """
    used = set().union(*map(set, texts))
    for place in (place for places in PRIVATE for place in places):
        if chr(place) not in used:
            return chr(place)
    raise ModelError("the text holds every private-use character; take some of them out")


def text_ids(tokenizer: Any, text: str, *, add_special_tokens: bool = False) -> list[int]:
    """Returns the tokens of text that a person has written, all of it as letters."""
    letters, seam = Letters.of(tokenizer), free_seam([text])
    guarded = letters.guarded(text, seam)
    return letters.encode(guarded, seam, add_special_tokens=add_special_tokens)[0]


def _is_mark(token: Any) -> bool:
    """Whether an added token is more than a way to write ordinary text."""
    content = str(token.content)
    if len(content) < 2 or content.isspace() or BYTE.fullmatch(content):
        return False
    return bool(token.special or MARKUP.fullmatch(content))


def _rename(model: dict[str, Any], aliases: dict[str, str]) -> None:
    """Gives entries of a tokenizer's vocabulary other names, so that no letters make them."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        model["vocab"] = {aliases.get(name, name): place for name, place in vocabulary.items()}
    elif isinstance(vocabulary, list):
        model["vocab"] = [[aliases.get(name, name), score] for name, score in vocabulary]
    if model.get("unk_token") in aliases:
        model["unk_token"] = aliases[model["unk_token"]]
    if "merges" in model:
        pairs = (pair.split(" ", 1) if isinstance(pair, str) else pair for pair in model["merges"])
        model["merges"] = [pair for pair in pairs if not aliases.keys() & {*pair, "".join(pair)}]


def _places(text: str, name: str) -> Iterator[int]:
    """Yields where `name` begins in a text, overlapping ones as well."""
    place = text.find(name)
    while place >= 0:
        yield place
        place = text.find(name, place + 1)
