"""Upper bounds of visual tokens, and the ways that are compared under each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from framesift.errors import InvalidOptionError, MissingSignalError
from framesift.evaluation import provenance
from framesift.evaluation.answers.answering import BASELINES, Way, with_runs
from framesift.evaluation.answers.log import RUN, AnswerLog
from framesift.evaluation.answers.served import check_served
from framesift.strategies import registry
from framesift.strategies.base import Strategy, create_strategy
from framesift.vlms.base import VLM

FRAMES: Final = "uniform frames"
"""The way that keeps as many evenly spaced frames in full as fit, or a part of one."""
BOUND: Final = "a share above 0 to 1 with a point, such as 0.25, or a number of tokens from 2 on"


def bounds_of(texts: Sequence[str]) -> list[float]:
    """Returns upper bounds, each once, as `Way.keep` has them: shares to 1, then tokens.

    Args:
        texts: bounds as they are written, each text one or several with commas between them.

    Raises:
        InvalidOptionError: a text is neither a share nor a number of tokens.
    """
    return sorted({_bound(part.strip()) for text in texts for part in text.split(",")})


def _bound(text: str) -> float:
    try:
        value, is_share = float(text), not text.isdecimal()
    except ValueError:
        value, is_share = -1.0, True
    if 0 < value <= 1 if is_share else 2 <= value <= 2**53:
        return value
    raise InvalidOptionError(f"max_visual_tokens={text!r} must be {BOUND}")


def bounded_ways(
    model: VLM,
    given: Sequence[str] | None,
    bounds: Sequence[float],
    against: Sequence[str] = (),
) -> tuple[list[Way], dict[str, str]]:
    """Returns the baselines and every strategy under every bound, and why some are left out.

    Args:
        model: what answers.
        given: spec strings, or `"NAME=SPEC"` for a name of its own; None for all strategies that
            the model's encoder serves.
        bounds: upper bounds of visual tokens.
        against: names that must be among the ways.

    Raises:
        InvalidOptionError: a strategy that was named drops tokens within the LLM, so that its
            prompt holds all of them, a name stands for two ways, or one in `against` for none.
        MissingSignalError: the encoder does not serve a strategy that was named.
    """
    chosen = [*BASELINES, *(Way(name=FRAMES, keep=at, in_whole_frames=True) for at in bounds)]
    left_out: dict[str, str] = {}
    seen = {way.name for way in chosen}
    for name, strategy in map(_named, given or registry.names()):
        part = create_strategy(strategy)
        spec = provenance.without_folders(strategy)
        own = name or spec
        if own in seen:
            raise InvalidOptionError(f"{own!r} names two ways; give one of them another name")
        seen.add(own)
        try:
            _check(model, part)
        except (InvalidOptionError, MissingSignalError) as error:
            if given:
                raise
            left_out[own] = str(error)
            continue
        spoken = spec if name else None
        chosen += [
            way
            for at in bounds
            for way in with_runs(Way(name=own, strategy=strategy, spec=spoken, keep=at))
        ]
    known = {name.partition(RUN)[0] for name in seen - left_out.keys()}
    if missing := [name for name in against if name not in known]:
        raise InvalidOptionError(
            f"{missing[0]!r} is not among the ways to compare; name one of "
            f"{', '.join(map(repr, sorted(known)))}"
        )
    return chosen, left_out


def check_goes_on(log: AnswerLog, chosen: Sequence[Way]) -> None:
    """Makes sure that names of ways stand for what they stood for in an earlier part of a log.

    Raises:
        InvalidOptionError: one stands for another spec now.
    """
    specs = {way.name: way.spec for way in chosen}
    for answer in log.answers:
        if (now := specs.get(answer.strategy, answer.spec)) != answer.spec:
            raise InvalidOptionError(
                f"the log has answers of {answer.strategy!r} as {answer.spec or 'itself'!r}, and "
                f"it is {now or 'itself'!r} now; give it another name, or another file"
            )


def _check(model: VLM, part: Strategy) -> None:
    """Refuses what the model does not serve, and what does not keep a bound."""
    if part.applies_to == "inside the LLM":
        raise InvalidOptionError(
            f"strategy {part.spec!r} drops tokens within the LLM, whose prompt holds all of them: "
            "no upper bound of visual tokens is kept; measure it with --keep"
        )
    check_served(model, part)


def _named(given: str) -> tuple[str | None, str]:
    """Returns the name of a way, if it has one of its own, and its spec string."""
    name, has_name, spec = given.partition("=")
    if not has_name or ":" in name or "|" in name:
        return None, given
    if not (name.strip(f" {RUN}") and spec.strip()):
        raise InvalidOptionError(f"way {given!r} must be a spec string, or NAME=SPEC")
    return name.strip(), spec.strip()
