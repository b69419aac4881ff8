from dataclasses import replace

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d

pytest.importorskip("transformers")

from framesift.nn.frame_scorer import FrameScorer
from framesift.nn.frame_scorer_config import FrameScorerConfig
from framesift.nn.frame_scorer_input import FrameScorerInput

LLM = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.2,
}
CONFIG = FrameScorerConfig(
    llm=LLM, tower_width=12, grid=(8, 8), head="query_key", key_width=16, before=(1, 2), after=(3,)
)


def network(**changes):
    torch.manual_seed(0)
    return FrameScorer(replace(CONFIG, **changes)).eval()


def given(frames, text, *, asked=None, width=12, seed=0):
    """Rows of random features and ids, of which each row has as many as `frames` and `text` say."""
    generator = torch.Generator().manual_seed(seed)
    rows, most = len(frames), max(frames)
    return FrameScorerInput(
        features=torch.randn(rows, most, 64, width, generator=generator),
        frames=torch.tensor(frames),
        text=torch.randint(4, 40, (rows, max(text)), generator=generator),
        lengths=torch.tensor(text),
        asked=torch.tensor(text) if asked is None else torch.tensor(asked),
    )


@torch.no_grad()
def test_tokens_are_the_mean_of_projected_patches():
    made = network()
    features = torch.randn(2, 3, 64, 12)
    first = torch.nn.functional.gelu(made.projector.linear_1(features))
    grid = made.projector.linear_2(first).transpose(2, 3).reshape(6, 32, 8, 8)
    pooled = adaptive_avg_pool2d(grid, 3).flatten(2).transpose(1, 2)
    torch.testing.assert_close(made.frame_tokens(features), pooled.reshape(2, 3, 9, 32))


@pytest.mark.parametrize("pooled", [1, 3, 5])
def test_a_frame_has_as_many_tokens_as_configured(pooled):
    made = network(pooled=pooled)
    assert made.frame_tokens(torch.zeros(1, 2, 64, 12)).shape == (1, 2, pooled**2, 32)


@torch.no_grad()
@pytest.mark.parametrize("question_first", [False, True])
def test_rows_of_a_batch_have_the_scores_that_they_have_alone(question_first):
    made, frames, text = network(question_first=question_first), [5, 2, 9], [4, 7, 1]
    batch = given(frames, text)
    logits = made(batch)
    assert logits.shape == (3, 9)
    for i, (count, ids) in enumerate(zip(frames, text, strict=True)):
        alone = FrameScorerInput(
            features=batch.features[i : i + 1, :count],
            frames=batch.frames[i : i + 1],
            text=batch.text[i : i + 1, :ids],
            lengths=batch.lengths[i : i + 1],
            asked=batch.asked[i : i + 1],
        )
        torch.testing.assert_close(made(alone)[0], logits[i, :count], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_question_changes_the_scores_of_the_same_frames():
    made, batch = network(), given([6, 6], [5, 5])
    same = replace(batch, features=batch.features[:1].expand(2, -1, -1, -1))
    one, other = made(same)
    assert (one - other).abs().max() > 1e-3


@torch.no_grad()
def test_the_head_that_compares_takes_any_number_of_frames():
    made = network()
    for frames in (1, 7, 128):
        assert made(given([frames], [3])).shape == (1, frames)


@torch.no_grad()
def test_the_published_head_gives_as_many_scores_as_it_was_made_for():
    made = network(head="mlp", candidates=6)
    assert made(given([6, 6], [3, 2])).shape == (2, 6)


@torch.no_grad()
def test_the_score_query_stands_behind_everything():
    made, batch = network(), given([4], [6])
    read = made.read(batch, with_query=True)
    assert read.lengths.tolist() == [2 + 4 * 9 + 6 + 1]
    before = read.states[:, :-1].clone()
    made.query.add_(1.0)
    after = made.read(batch, with_query=True).states
    torch.testing.assert_close(after[:, :-1], before)
    assert (after[:, -1] - read.states[:, -1]).abs().max() > 1e-3


@torch.no_grad()
def test_a_question_in_front_changes_what_is_made_of_frames_and_an_answer_does_not():
    made, batch = network(question_first=True), given([4], [6], asked=[3])
    read = made.read(batch, with_query=False)
    assert read.visual.tolist() == [2 + 3]
    assert read.lengths.tolist() == [2 + 3 + 4 * 9 + 6]
    frames = read.states[:, 5 : 5 + 36]
    for place, changes in ((1, True), (4, False)):
        text = batch.text.clone()
        text[0, place] = 4 if text[0, place] != 4 else 5
        other = made.read(replace(batch, text=text), with_query=False).states[:, 5 : 5 + 36]
        assert bool((other - frames).abs().max() > 1e-3) == changes


def test_all_parts_learn():
    made = network()
    made(given([3, 2], [4, 2])).sum().backward()
    assert [name for name, value in made.named_parameters() if value.grad is None] == []
