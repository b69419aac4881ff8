"""Options of compressors and answers as fields of the objects that frameworks build with pydantic.

Ranges, descriptions and error lines are those of `VideoCompressor` and `Generation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import core_schema

from framesift.answering.generation import Generation
from framesift.answering.text_beside import MAX_TEXT_TOKENS
from framesift.compression.compressor import VideoCompressor
from framesift.disk.writing import home_path
from framesift.errors import FramesiftError, InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.readers.base import created_readers
from framesift.selectors import registry as selectors
from framesift.serving.lines import option_error
from framesift.strategies.base import create_strategy
from framesift.types.options import Count, ResizedBy, Still, checked_option, shown
from framesift.types.schema import options_schema
from framesift.types.spec import unknown_option


@dataclass(frozen=True)
class OptionOf:
    """Stands in the annotation of a field that is an option of a class of framesift.

    Args:
        kind: the class.
        name: of the option there; the field may have another.
    """

    kind: type
    name: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_before_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        option: dict[str, Any] = options_schema(self.kind)["properties"][self.name]
        return {key: value for key, value in option.items() if key != "default"}

    def _checked(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        try:
            return checked_option(self.kind, self.name, value)
        except FramesiftError as error:
            line = str(error).removeprefix(f"{self.name}=")
            raise type(error)(f"{info.field_name}={line}") from error


def _one_or_several(text: Any) -> Any:
    """Returns names of readers as a tuple, in which form they can be hashed."""
    named = [text] if isinstance(text, str) else text
    if not isinstance(named, list | tuple) or not all(isinstance(name, str) for name in named):
        raise InvalidOptionError(
            f"text={shown(text)} must be the name of a reader, such as 'subtitles', or a list of "
            "names"
        )
    return tuple(named)


def _picks(selector: str) -> str:
    selectors.create(selector)
    return selector


def _reduces(strategy: str) -> str:
    create_strategy(strategy)
    return strategy


def _reads(text: tuple[str, ...]) -> tuple[str, ...]:
    created_readers(text)
    return text


def _at_home(folder: Any, info: core_schema.ValidationInfo) -> Path:
    return home_path(folder, info.field_name or "path")


HomePath = Annotated[Path, BeforeValidator(_at_home)]
"""A path of this machine, `~` at its start being the home folder."""
SelectorName = Annotated[str, AfterValidator(_picks)]
"""What picks frames, such as `"nms:scorer=text"`; one that does not exist is refused."""
StrategyName = Annotated[str, AfterValidator(_reduces)]
"""What decides which visual tokens survive; one that does not exist is refused."""

MOST_READERS: Final = 8
ReaderSpecs = Annotated[
    tuple[str, ...],
    Field(max_length=MOST_READERS),
    BeforeValidator(
        _one_or_several,
        json_schema_input_type=str | Annotated[list[str], Field(max_length=MOST_READERS)],
    ),
    AfterValidator(_reads),
]
"""What reads the text of a video: a spec string such as `"screen"`, or several."""


class OptionFields(BaseModel):
    """A model of pydantic whose constructor raises framesift's errors, each one line.

    A name that is no field is one of them, so that a misspelt option does not pass for a default.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    also_taken: ClassVar[frozenset[str]] = frozenset({"class_name"})
    """Names that a framework gives every object of a kind and that mean nothing here: LlamaIndex
    writes the name of the class among the fields."""

    def __init__(self, **given: Any) -> None:
        """Takes the fields by name.

        Raises:
            FramesiftError: the first that is wrong, `InvalidOptionError` where nothing fits better.
        """
        kind = type(self)
        aliases = {field.alias for field in kind.model_fields.values()}
        taken = kind.also_taken.union(kind.model_fields, aliases)
        if any(name not in taken for name in given):
            check_names(kind.__name__, [name for name in given if name not in taken], _own(kind))
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise option_error(error) from None


def check_names(of: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Refuses options that do not exist.

    Args:
        of: what has the options, as a reader knows it.
        given: names.
        known: names that there are.

    Raises:
        InvalidOptionError: the first that is not known, with the name that is meant by it.
    """
    for name in given:
        if name not in known:
            raise InvalidOptionError(unknown_option(of, name, known))


def _own(kind: type[BaseModel]) -> list[str]:
    """Returns the options of a class that are framesift's, without those of its framework."""
    bases = [base for base in kind.__mro__ if issubclass(base, OptionFields)]
    return [name for name in kind.model_fields if any(_states(base, name) for base in bases)]


def _states(base: type, name: str) -> bool:
    return name in vars(base).get("__annotations__", {})


class CompressionFields(OptionFields):
    """Which tokens of each video a model reads, and what may be opened."""

    strategy: StrategyName = "temporal"
    """Decides which visual tokens survive, such as `"temporal:threshold=0.9"`."""
    keep: Annotated[float, OptionOf(VideoCompressor, "keep")] = 0.25
    """Fraction of the visual tokens kept."""
    max_visual_tokens: Annotated[int | None, OptionOf(VideoCompressor, "max_tokens")] = None
    """Most visual tokens kept of each video; the smaller of this and `keep` wins."""
    max_frames: Annotated[int | None, OptionOf(VideoCompressor, "max_frames")] = None
    """Most frames of a video that are encoded, None for all that were sampled."""
    selector: SelectorName = "keyframes"
    """What picks them where more were sampled, such as `"nms:scorer=text"` or `"auto"`."""
    gate: Annotated[float | None, OptionOf(VideoCompressor, "gate")] = None
    """Change in levels of 256 above which a patch is encoded again; None for always."""
    still: Annotated[Still, OptionOf(VideoCompressor, "still")] = "copied"
    """What a patch becomes that is not encoded again: a copy of its last token, or nothing."""
    resized_by: Annotated[ResizedBy, OptionOf(VideoCompressor, "resized_by")] = "model"
    """What scales large frames down: the model's own preparation, or the decoder before it."""
    text: ReaderSpecs | None = None
    """What reads the text of a video, one or several, such as `"screen"`: selectors and searches
    choose by it, and it stands in prompts beside the pictures. None for subtitles, to choose by."""
    max_text_tokens: Annotated[Count, Field(strict=True)] = MAX_TEXT_TOKENS
    """Most tokens of the text that a question brings."""
    fps: Annotated[float, OptionOf(VideoCompressor, "fps")] = 1.0
    """Frames sampled per second of video."""
    limits: FetchLimits = Field(default_factory=FetchLimits.untrusted)
    """What may be opened: by default links to public addresses, but no files of this machine."""
    site: SiteOptions = Field(default_factory=SiteOptions)
    """What is taken of the pages of video sites: language, height, and whose login is used."""

    @model_validator(mode="after")
    def _lends_no_login(self) -> Self:
        self.site.check(self.limits)
        return self

    @property
    def compressor_options(self) -> dict[str, Any]:
        """The options as `VideoCompressor` takes them."""
        return {
            "strategy": self.strategy,
            "keep": self.keep,
            "max_tokens": self.max_visual_tokens,
            "max_frames": self.max_frames,
            "selector": self.selector,
            "gate": self.gate,
            "still": self.still,
            "resized_by": self.resized_by,
            "text": ("subtitles",) if self.text is None else self.text,
            "fps": self.fps,
            "limits": self.limits,
            "site": self.site,
        }

    @property
    def prompt_text(self) -> dict[str, Any]:
        """What stands in prompts beside the pictures, as `Assistant.reply` takes it."""
        return {"text": self.text, "max_text_tokens": self.max_text_tokens}


class GenerationFields(OptionFields):
    """How answers are chosen."""

    temperature: Annotated[float, OptionOf(Generation, "temperature")] = 0.0
    """0 takes the likeliest token; above 0 draws."""
    max_tokens: Annotated[int, OptionOf(Generation, "max_new_tokens")] = 256
    """Most tokens of an answer."""
    top_p: Annotated[float | None, OptionOf(Generation, "top_p")] = None
    """Draw among the likeliest tokens that hold this probability together."""
    top_k: Annotated[int | None, OptionOf(Generation, "top_k")] = None
    """Draw among this many likeliest tokens."""
    seed: Annotated[int | None, OptionOf(Generation, "seed")] = None
    """Makes draws repeatable."""
    compiled: Annotated[bool, OptionOf(Generation, "compiled")] = False
    """Compile the decoding step on CUDA: half a minute at first, faster answers from then on."""

    def generation(self, stop: str | Sequence[str] | None, given: dict[str, Any]) -> Generation:
        """Returns how one answer is chosen.

        Args:
            stop: the answer ends before the first of these.
            given: options of this call by name, which go before the fields.

        Raises:
            InvalidOptionError: there is no such option, or a value is not allowed.
        """
        names = ("temperature", "top_p", "top_k", "seed")
        check_names("a call", given, ("max_tokens", "stop", *names))
        return Generation(
            max_new_tokens=given.get("max_tokens", self.max_tokens),
            stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
            compiled=self.compiled,
            **{name: given.get(name, getattr(self, name)) for name in names},
        )
