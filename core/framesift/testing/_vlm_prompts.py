"""What every prompt with reduced visual tokens holds, whatever the family."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from framesift.answering.generation import GREEDY, complete
from framesift.answering.prefix_cache import PrefixCache, read_once
from framesift.hf.fixed_cache import new_cache
from framesift.hf.growing_cache import state_layers
from framesift.testing._vlm_case import FRAMES, QUESTION, VLMCase
from framesift.testing.rounding import assert_near
from framesift.types.plan import TokenPlan
from framesift.vlms.base import VLM, Turn, collate


class PromptPromises:
    """Promises about prompts: reduced tokens stand where the whole video's would be."""

    def test_the_whole_video_is_the_ordinary_prompt(self, case: VLMCase) -> None:
        """Keep = 1 gives the ids and positions of the family's own prompt, without a warning."""
        prompt = case.prompt(case.whole)
        ids = case.ordinary.inputs["input_ids"][0]
        assert torch.equal(prompt.input_ids, ids), (
            f"the ids are those of {case.vlm.tokenizer.decode(prompt.input_ids)!r}, "
            f"not of {case.vlm.tokenizer.decode(ids)!r}"
        )
        assert torch.equal(prompt.position_ids, case.positions), "other positions"
        assert prompt.positions == "original"
        assert prompt.warnings == ()
        assert prompt.visual_tokens_before == len(prompt.features) == int(prompt.visual.sum())

    def test_the_whole_video_gives_the_ordinary_logits_and_tokens(self, case: VLMCase) -> None:
        """Keep = 1 gives the logits and the answer of the family's own prompt."""
        inputs = case.prompt(case.whole).inputs()
        expected = case.logits(case.ordinary.inputs)
        assert_near(case.logits(inputs), expected)
        assert expected.std() > 0.5
        answers = case.generated(inputs), case.generated(case.ordinary.inputs)
        assert torch.equal(*answers), "another answer than that of the ordinary prompt"

    @pytest.mark.parametrize("empty", [0, 2, FRAMES - 1])
    def test_dropped_tokens_are_as_if_they_had_not_been_there(
        self, case: VLMCase, empty: int
    ) -> None:
        """Keep < 1 equals the whole prompt with the dropped columns masked out.

        For layers that see masked columns too it is the whole prompt without them; either way the
        others hold their positions.
        """
        kept = case.some(empty=empty)
        reference = case.reference(kept)
        prompt = case.prompt(case.video(case.plan(kept)))
        same = torch.equal(prompt.input_ids, case.ordinary.inputs["input_ids"][0, reference.left])
        assert same, "the ids are not those of the whole prompt without the dropped columns"
        same = torch.equal(prompt.position_ids, case.positions[..., reference.left])
        assert same, "the positions are not those that the columns have in the whole prompt"
        expected = case.logits(reference.inputs)[:, reference.shown]
        assert_near(case.logits(prompt.inputs()), expected)
        assert torch.equal(case.generated(prompt.inputs()), case.generated(reference.inputs))
        assert (expected[0, -1] - case.logits(case.ordinary.inputs)[0, -1]).abs().max() > 1e-2

    def test_one_token_is_enough(self, case: VLMCase) -> None:
        """A prompt with a single visual token equals the whole one with all others left out."""
        last = torch.tensor([case.tokens.count - 1])
        reference = case.reference(last)
        prompt = case.prompt(case.video(case.plan(last)))
        expected = case.logits(reference.inputs)[:, reference.shown]
        assert_near(case.logits(prompt.inputs()), expected)

    def test_merged_tokens_stand_at_the_mean_place_of_their_tokens(self, case: VLMCase) -> None:
        """A merged token is its tokens' mean, in their mean frame, row and column of the grid.

        It holds the position of the token that stood there, so positions ascend over the prompt.
        """
        count, per_frame, (_, width) = (
            case.tokens.count,
            case.tokens.tokens_per_frame,
            case.tokens.grid,
        )
        group = torch.arange(count) * 7 % 11
        group[:: max(2, count // 7)] = -1
        plan = TokenPlan.merge(group, tokens_per_frame=per_frame)
        prompt = case.prompt(case.video(plan))
        full = case.positions[..., case.ordinary.visual]
        own = prompt.visual.nonzero().flatten()[prompt.rows >= 0]
        cells = []
        for row in prompt.rows[prompt.rows >= 0].tolist():
            sources = plan.src[plan.dst == row]
            patch = sources % per_frame
            frame, line, place = (
                int((each.double().mean() + 0.5).floor())
                for each in (sources // per_frame, patch // width, patch % width)
            )
            cells.append(frame * per_frame + line * width + place)
            mean = case.tokens.features.flatten(0, 1)[sources].mean(0)
            assert_near(prompt.features[prompt.rows == row][0], mean)
        assert cells == sorted(cells)
        assert torch.equal(prompt.position_ids[..., own], full[..., cells])
        assert torch.isfinite(case.logits(prompt.inputs())).all()
        weight = torch.arange(float(len(prompt.rows)))
        in_order = prompt.by_row(weight)
        assert torch.equal(in_order[prompt.rows[prompt.rows >= 0]], weight[prompt.rows >= 0])

    def test_tokens_merged_over_frames_stand_in_the_middle_one(self, case: VLMCase) -> None:
        """A token merged over all frames stands in the middle of the video."""
        frames, per_frame = case.tokens.frame_count, case.tokens.tokens_per_frame
        plan = TokenPlan.merge(torch.arange(frames * per_frame) % 2, tokens_per_frame=per_frame)
        prompt = case.prompt(case.video(plan))
        middle = (frames - 1) / 2
        own = prompt.visual.nonzero().flatten()[prompt.rows >= 0]
        full = case.positions[..., case.ordinary.visual]
        first = full[..., int(middle) * per_frame].double()
        later = full[..., min(frames - 1, int(middle) + 1) * per_frame + per_frame - 1].double()
        places = prompt.position_ids[..., own].reshape(-1, 2).double()
        assert bool((places >= first.reshape(-1, 1)).all())
        assert bool((places <= later.reshape(-1, 1)).all())

    def test_a_left_padded_batch_is_its_prompts_one_by_one(self, case: VLMCase) -> None:
        """Prompts of several lengths in one batch give the answers that each gives alone."""
        prompts = [
            case.prompt(case.video(case.plan(case.some()))),
            case.prompt(
                case.video(case.plan(case.some(seed=1)[:7])), text="And a longer question?"
            ),
            case.prompt(case.whole, text="?"),
        ]
        batch = collate(prompts, pad_token_id=case.vlm.tokenizer.pad_token_id)
        together = case.generated(batch)
        logits = case.logits(batch)
        for place, prompt in enumerate(prompts):
            alone = case.logits(prompt.inputs())[0]
            assert_near(logits[place, -len(alone) :], alone)
            assert torch.equal(together[place], case.generated(prompt.inputs())[0])

    def test_questions_about_one_video_that_is_read_once_get_their_own_answers(
        self, case: VLMCase
    ) -> None:
        """Questions that share the cache of one video get the answers that each gets alone."""
        video = case.video(case.plan(case.some()))
        prompts = [
            case.prompt(video, text=text) for text in ("?", "And a longer question?", QUESTION)
        ]
        together = case.generated(read_once(case.vlm.hf, prompts, case.vlm.tokenizer.pad_token_id))
        for place, prompt in enumerate(prompts):
            assert torch.equal(together[place], case.generated(prompt.inputs())[0])

    def test_a_cache_of_fixed_size_gives_the_same_answers(self, case: VLMCase) -> None:
        """The cache that a compiled step needs changes no token, in questions one after another."""
        video, held, fixed = case.video(case.plan(case.some())), PrefixCache(), PrefixCache()
        for text in (QUESTION, "And a longer question?", QUESTION):
            prompt, model = case.prompt(video, text=text), case.vlm.hf
            given, cached = held.prepare(model, prompt)
            answer = complete(model, case.vlm.tokenizer, given, GREEDY)
            held.note(prompt, answer.ids)
            room = len(prompt.input_ids) + GREEDY.max_new_tokens
            given, fixed_cached = fixed.prepare(model, prompt, room=room)
            again = complete(model, case.vlm.tokenizer, given, GREEDY)
            fixed.note(prompt, again.ids)
            assert again.ids == answer.ids
            assert fixed_cached == cached
            attention = fixed.answer_attention(model, prompt, len(answer.ids))
            assert_near(attention, held.answer_attention(model, prompt, len(answer.ids)))

    def test_a_batch_over_a_cache_of_fixed_size_gives_the_same_tokens(self, case: VLMCase) -> None:
        """Prompts side by side, read whole or over one video's cache, give the same tokens."""
        if state_layers(case.vlm.hf):
            pytest.skip("layers with a state have no cache of fixed size")
        video, model = case.video(case.plan(case.some())), case.vlm.hf
        padding = case.vlm.tokenizer.pad_token_id
        prompts = [case.prompt(video, text=text) for text in ("?", "And a longer question?")]
        for inputs in (collate(prompts, pad_token_id=padding), read_once(model, prompts, padding)):
            # `generate` fills the cache that it is given, so each way has its own copy.
            fixed = new_cache(model, inputs["input_ids"].shape[1] + 8)
            source = deepcopy(inputs.get("past_key_values"))
            fixed.take(source, inputs["input_ids"].shape[1] + 8)
            with fixed.decoding():
                found = case.generated({**inputs, "past_key_values": fixed})
            assert torch.equal(found, case.generated(inputs))

    def test_compact_positions_count_what_is_left(self, case: VLMCase) -> None:
        """Compact positions count the columns that are left, from zero."""
        prompt = case.prompt(case.video(case.plan(case.some())), positions="compact")
        counted = torch.arange(len(prompt.input_ids)).expand_as(prompt.position_ids)
        assert torch.equal(prompt.position_ids, counted)
        assert prompt.positions == "compact"
        gapped = case.prompt(case.video(case.plan(case.some())), positions="original")
        assert torch.equal(gapped.input_ids, prompt.input_ids)
        difference = case.logits(prompt.inputs()) - case.logits(gapped.inputs())
        assert difference.abs().max() > 1e-3

    def test_positions_become_compact_where_the_context_is_too_short(
        self, case: VLMCase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A whole prompt longer than the context gives compact positions, with a warning."""
        video = case.video(case.plan(case.some()))
        end = int(case.positions.max()) + 1
        monkeypatch.setattr(VLM, "context_tokens", end)
        assert case.prompt(video).positions == "original"
        monkeypatch.setattr(VLM, "context_tokens", end - 1)
        prompt = case.prompt(video)
        assert prompt.positions == "compact"
        (warning,) = prompt.warnings
        assert str(end) in warning
        assert str(end - 1) in warning
        assert case.prompt(video, positions="original").positions == "original"

    def test_the_prefix_is_the_same_for_every_question(self, case: VLMCase) -> None:
        """What comes before the question does not depend on it, so that a cache can be shared."""
        video = case.video(case.plan(case.some()))
        first, second = (case.prompt(video, text=text) for text in ("What?", "where is the dog"))
        size = first.prefix_length
        assert size == second.prefix_length
        assert torch.equal(first.input_ids[:size], second.input_ids[:size])
        assert torch.equal(first.position_ids[..., :size], second.position_ids[..., :size])
        assert bool(first.visual[:size].sum() == first.visual.sum())
        assert size <= int(
            (first.input_ids != second.input_ids[: len(first.input_ids)]).nonzero()[0]
        )

    def test_two_videos_stand_one_after_the_other(self, case: VLMCase) -> None:
        """Two videos in one turn are both there, in order."""
        first = case.video(case.plan(case.some()))
        second = case.video(case.plan(case.some(seed=1)))
        prompt = case.prompt(first, second)
        alone = case.prompt(first), case.prompt(second)
        own = prompt.rows >= 0
        assert torch.equal(prompt.features[own], torch.cat([first.tokens, second.tokens]))
        assert prompt.rows[own].tolist() == list(range(len(first.tokens) + len(second.tokens)))
        assert prompt.visual_tokens_before == 2 * alone[0].visual_tokens_before
        assert int(prompt.visual.sum()) == sum(int(each.visual.sum()) for each in alone)
        both = case.logits(prompt.inputs())
        assert torch.isfinite(both).all()
        assert (both[0, -1] - case.logits(alone[1].inputs())[0, -1]).abs().max() > 1e-3

    def test_a_conversation_goes_on_behind_the_video(self, case: VLMCase) -> None:
        """Later turns come behind the prompt of the first one, which stays as it was."""
        video = case.video(case.plan(case.some()))
        turns = [
            Turn(role="user", text="What?", videos=(video,)),
            Turn(role="assistant", text="A dog."),
            Turn(role="user", text="Where?"),
        ]
        prompt, first = case.vlm.prompt(turns), case.vlm.prompt(turns[:1])
        size = len(first.input_ids)
        assert torch.equal(prompt.input_ids[:size], first.input_ids)
        assert "A dog." in case.vlm.tokenizer.decode(prompt.input_ids[size:]).replace(
            " ", ""
        ).replace("Adog.", "A dog.")
        assert prompt.prefix_length == first.prefix_length

    def test_text_alone_is_a_prompt(self, case: VLMCase) -> None:
        """A turn without a video is a prompt of text alone."""
        prompt = case.prompt()
        assert prompt.prefix_length == 0
        assert prompt.features.shape == (0, case.vlm.width)
        assert "mm_encoder_outputs" not in prompt.inputs()
        assert torch.isfinite(case.logits(prompt.inputs())).all()
