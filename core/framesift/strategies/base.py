"""The strategy contract: visual tokens and a budget in, a plan of what survives out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from framesift.errors import (
    BudgetError,
    InvalidOptionError,
    MissingSignalError,
    PlanTooLongError,
)
from framesift.registry import Part
from framesift.run import report_progress, seconds_left
from framesift.strategies import _ops, registry
from framesift.types.options import whole
from framesift.types.plan import TokenPlan
from framesift.types.segments import SegmentTokens
from framesift.types.spec import split_spec
from framesift.types.tokens import VideoTokens

Signal = Literal[
    "attention",
    "keys",
    "edge_density",
    "question_similarity",
    "pre_projector",
    "llm_attention",
    "text",
]
Place = Literal["tokens before the LLM", "inside the LLM"]
Project = Callable[[Tensor], Tensor]
"""Takes rows of `pre_projector` `(P, C)` and returns what a projector makes of them, `(P, D)`."""
MULTIPLICATIONS_PER_SECOND = 1e11
"""What one thread of a fast processor manages at most, so that only hopeless plans are refused."""


@dataclass(frozen=True, kw_only=True)
class Strategy(Part):
    """A way to decide which tokens survive; the instance is the configuration.

    A subclass declares facts about itself and writes `decide`. It must keep exactly `budget` of the
    live tokens, choose the earlier token on ties, and use neither global random state nor noise.
    Loops over frames, blocks or rounds run through `run.stoppable`, so that a listener or a
    time limit can end them.
    One whose outputs form a layout (`structural`) gives the largest layout that fits instead.
    """

    paper: ClassVar[str | None] = None
    """URL of the paper or public page that describes the method."""
    needs: ClassVar[frozenset[Signal]] = frozenset()
    """Signals that the encoder must give."""
    cost: ClassVar[str] = "O(T N D)"
    """Growth of planning time with `T` frames, `N` patches, `D` channels and `M` tokens kept."""
    output: ClassVar[str] = "merged"
    """Whether its outputs are tokens `kept` as they are, or `merged` from several."""
    structural: ClassVar[bool] = False
    """Whether the outputs form a layout, so that their number may be below the budget."""
    applies_to: ClassVar[Place] = "tokens before the LLM"
    """Where its tokens stand: before the LLM, or between two of its layers (`VLM.in_llm`) if it
    needs the attention there. Follows from `needs`."""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        cls.applies_to = (
            "inside the LLM" if "llm_attention" in cls.needs else "tokens before the LLM"
        )

    @classmethod
    def facts(cls) -> dict[str, Any]:
        """Returns the facts that listings show: needed signals, output and cost."""
        return {
            **super().facts(),
            "needs": sorted(cls.needs),
            **({"paper": cls.paper} if cls.paper else {}),
            "output": cls.output,
            "applies_to": cls.applies_to,
            "cost": cls.cost,
        }

    @property
    def within(self) -> Sequence[Strategy]:
        """The strategies that this one holds: it needs what they need, and merges if they do."""
        return ()

    @property
    def required_signals(self) -> frozenset[str]:
        """Signals that this instance needs, options included."""
        return frozenset(self.needs).union(*(part.required_signals for part in self.within))

    @property
    def is_per_question(self) -> bool:
        """Whether another question may keep other tokens.

        A strategy that reads the question itself, not how much tokens resemble it, overrides this.
        """
        own = "question_similarity" in self.required_signals
        return own or any(part.is_per_question for part in self.within)

    @property
    def reads_ranks(self) -> bool:
        """Whether frames that a selector ranked high are treated better (`signals.frame_rank`)."""
        return any(part.reads_ranks for part in self.within)

    @property
    def is_merging(self) -> bool:
        """Whether outputs of this instance may stand for several tokens, options included."""
        return self.output == "merged" or any(part.is_merging for part in self.within)

    @property
    def trained_for(self) -> str | None:
        """Fingerprint of the checkpoint whose tokens its network reads (`Encoder.weights`).

        None, as for almost all, where outputs are means of their inputs and any tokens will do.
        """
        return None

    @property
    def computes_features(self) -> bool:
        """Whether outputs hold something else than the means of their inputs (`features`)."""
        return self.trained_for is not None

    @property
    def needs_projector(self) -> bool:
        """Whether `features` needs the vision LLM's projector."""
        return any(part.needs_projector for part in self.within)

    @property
    def trained_with(self) -> str | None:
        """Spec of the vision LLM that has this checkpoint, for messages; None where unknown."""
        return None

    def limitation(self, uri: str) -> str | None:
        """Returns why the outcome for a video means nothing, as a warning; None where it does."""
        return None

    def check_within(self) -> None:
        """Refuses strategies within this one whose outputs are not the means of their inputs.

        Raises:
            InvalidOptionError: this one would take their plans, and means for what they compute.
        """
        for part in self.within:
            if part.computes_features:
                raise InvalidOptionError(
                    f"strategy {part.spec!r} computes what its tokens hold and cannot stand "
                    f"within {self.spec!r}; take it alone, or one that averages or keeps tokens"
                )
            part.check_within()

    def plan(self, tokens: VideoTokens, budget: int, question: str | None = None) -> TokenPlan:
        """Returns the plan that keeps exactly `budget` tokens, or all where there are fewer.

        Raises:
            BudgetError: `budget` is below 1.
            MissingSignalError: `tokens` lack a signal that this strategy needs.
            InvalidTokensError: a feature is NaN or infinite, or the mask leaves no token.
            TimeLimitError: `time_limit` is over, or would be before the plan is made.
        """
        self.check_within()
        budget = whole("budget", budget, "token", error=BudgetError)
        present = tokens.signals.present()
        if missing := sorted(self.required_signals - present.keys()):
            giver = "an encoder that gives it"
            if "question_similarity" in missing:
                giver = "encoder.asked(tokens, question), or compress(video, question)"
            elif "text" in missing:
                giver = "VideoCompressor(text='screen'), which reads where text stands"
            if self.applies_to == "inside the LLM":
                giver = f"it inside the LLM: with vlm.in_llm({self.spec!r})"
            raise MissingSignalError(
                f"strategy {self.spec!r} needs {', '.join(missing)}; these tokens carry "
                f"{', '.join(present) or 'no signals'}; use {giver}"
            )
        tokens.check_finite()
        live_count = tokens.live_count
        if budget >= live_count:
            return _ops.keep_mask(tokens, tokens.live, live_count)
        report_progress("plan", 0, None, "step")
        if tokens.features.device.type == "cpu":
            frames, _, channels = tokens.features.shape
            self.check_time(frames, -(-tokens.live_count // frames), channels, budget)
        with torch.no_grad():
            return self.decide(tokens, budget, question)

    def least_multiplications(self, frames: int, patches: int, channels: int, budget: int) -> float:
        """Returns about how many multiplications a plan takes at least, by its `cost`.

        A strategy whose time grows faster than the number of tokens overrides this, so that a time
        limit refuses what cannot be done within it.
        """
        return 20.0 * frames * patches * channels

    def check_time(self, frames: int, patches: int, channels: int, budget: int) -> None:
        """Makes sure that a plan on the CPU can end within the time limit, if there is one.

        Raises:
            PlanTooLongError: it surely takes longer.
        """
        if (left := seconds_left()) is None:
            return
        work = self.least_multiplications(frames, patches, channels, budget)
        least_seconds = work / MULTIPLICATIONS_PER_SECOND / torch.get_num_threads()
        if least_seconds > left:
            raise PlanTooLongError(
                f"strategy {self.spec!r} needs at least {least_seconds:.0f} s here for a plan of "
                f"{frames * patches} tokens ({work:.1e} multiplications), and {left:.0f} s of the "
                "time limit are left; sample fewer frames, allow more time or take a faster "
                "strategy such as 'temporal'"
            )

    @abstractmethod
    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan for a valid `budget`, below the number of live tokens."""

    def features(
        self, tokens: VideoTokens, plan: TokenPlan, project: Project | None = None
    ) -> Tensor:
        """Returns what the outputs of a plan hold, `(M, D)`: the means that the plan says.

        A strategy with a network of its own computes them instead; the plan then says which tokens
        each output stands for.

        Args:
            tokens: those that the plan was made of.
            plan: what `plan` returned for them.
            project: the vision LLM's projector, for a strategy that works before it.
        """
        return plan.apply(tokens.features)

    def segment_tokens(self, tokens: VideoTokens, plan: TokenPlan) -> list[SegmentTokens] | None:
        """Returns what the tokens of each segment stand for; None where there are no segments."""
        return None

    def decide_beside(
        self, kept: Tensor, tokens: VideoTokens, budget: int, question: str | None
    ) -> TokenPlan:
        """Returns the plan that keeps the tokens of `kept` as they are and decides on the rest.

        Args:
            kept: live tokens that survive whatever the method says, bool `(T, N)`, at most
                `budget`.
            tokens: all tokens, those of `kept` among them.
            budget: tokens in all.
            question: what is to be answered.
        """
        reserved = int(kept.sum())
        if reserved == budget:
            return _ops.keep_mask(tokens, kept, budget)
        rest = replace(tokens, mask=tokens.live & ~kept)
        return _ops.beside(self.decide(rest, budget - reserved, question), kept)


@dataclass(frozen=True, kw_only=True)
class ScoreStrategy(Strategy):
    """A strategy that ranks tokens: write `score`, and the highest scores survive."""

    output: ClassVar[str] = "kept"

    @abstractmethod
    def score(self, tokens: VideoTokens, budget: int) -> Tensor:
        """Returns the rank of each token, floating point or int64 `(T, N)`; higher survives."""

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan that keeps the `budget` live tokens of highest score."""
        scores, live = self.score(tokens, budget).flatten(), tokens.live.flatten()
        return _ops.keep(tokens, _ops.highest(scores, live, budget))

    def decide_beside(
        self, kept: Tensor, tokens: VideoTokens, budget: int, question: str | None
    ) -> TokenPlan:
        """Returns the plan that keeps `kept`, then the highest of all scores but theirs."""
        kept, live = kept.flatten(), tokens.live.flatten()
        rest = _ops.top(
            self.score(tokens, budget).flatten(), live & ~kept, budget - int(kept.sum())
        )
        return _ops.keep_mask(tokens, kept | rest, budget)


def create_strategy(spec: str | Strategy, **options: Any) -> Strategy:
    """Returns the strategy that a spec string describes; `"first | second"` makes a chain.

    A strategy within another stands in brackets where it is a chain or has several options:
    `"per-frame-floor:strategy=[temporal | random]"`.

    Raises:
        UnknownNameError: no such strategy.
        InvalidOptionError: no such option, or a value out of range.
    """
    if isinstance(spec, str) and len(split_spec(spec, "|")) > 1 and not spec.startswith("chain:"):
        return registry.create("chain", stages=spec, **options)
    return registry.create(spec, **options)
