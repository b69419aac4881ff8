"""What every family promises about questions that follow one another."""

from __future__ import annotations

from dataclasses import replace

from framesift.answering.generation import Generation, complete
from framesift.answering.session import Session
from framesift.testing._vlm_case import QUESTION, VLMCase
from framesift.testing.samples import compressed
from framesift.types.compressed import CompressedVideo
from framesift.vlms.base import Turn

SHORT = Generation(max_new_tokens=6)
FURTHER = ("And where is it then?", "Why?")


class ChatPromises:
    """Promises about a session, whose cache holds what was read before."""

    def test_three_turns_are_answered_as_by_fresh_prompts(self, case: VLMCase) -> None:
        """What `open` answers from its cache is what the whole conversation gives, read anew."""
        session, turns = Session(case.vlm), list[Turn]()
        video = case.video(case.plan(case.some()))
        session.prefill([video])
        for text in (QUESTION, *FURTHER):
            turns.append(Turn(role="user", text=text, videos=() if turns else (video,)))
            answer = session.answer(turns, generation=SHORT)
            assert answer.text == _fresh(case, turns), f"another answer to {text!r}"
            assert answer.usage.cached_tokens > len(video.tokens), "the video is read again"
            (first, *_) = answer.evidence
            assert first.reason.startswith("attended to by the answer")
            turns.append(Turn(role="assistant", text=answer.text))
        again = session.answer(turns[:1], generation=SHORT)
        assert again.text == turns[1].text, "another answer to the first question, asked again"

    def test_another_video_with_the_same_places_is_read_anew(self, case: VLMCase) -> None:
        """A session answers about the video it is given, whatever it has read before."""
        session, kept = Session(case.vlm), case.plan(case.some())
        other = replace(case.tokens, features=case.tokens.features.flip(0, 1))
        for video in (case.video(kept), compressed(other, kept), case.video(kept)):
            turns = [_asked(video)]
            answer = session.answer(turns, generation=SHORT, evidence=None)
            assert answer.text == _fresh(case, turns)
            assert answer.usage.cached_tokens == 0


def _asked(video: CompressedVideo) -> Turn:
    return Turn(role="user", text=QUESTION, videos=(video,))


def _fresh(case: VLMCase, turns: list[Turn]) -> str:
    """Returns the answer to a conversation that is read whole."""
    prompt = case.vlm.prompt(turns)
    return complete(case.vlm.hf, case.vlm.tokenizer, prompt.inputs(), SHORT).text
