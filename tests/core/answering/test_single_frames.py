"""Frames that a model sees alone: side by side they give what each gives by itself."""

from dataclasses import replace

import pytest
import torch

import framesift
from framesift.answering.each_alone import EachAlone
from framesift.answering.single_frames import SingleFrames, one_picture
from framesift.errors import InvalidOptionError
from framesift.hf.letters import text_ids
from framesift.testing import TINY_VLMS, random_frames
from framesift.types.video import VideoInfo
from framesift.vlms.load import load_vlm
from framesift.vlms.prompt import Turn

QUESTION = "What number flashes in the video?"


@pytest.fixture(scope="module")
def tiny():
    return load_vlm("tiny")


@pytest.fixture(scope="module")
def flash(tiny):
    """The tokens of sixteen frames, one of which shows the number 98."""
    with framesift.open_video("synthetic://number?seconds=16&seed=3&fps=4") as local:
        sift = framesift.VideoCompressor(vlm=tiny)
        question = local.truth["questions"][0]
        return sift.encode(local, signals=frozenset()).tokens, question


def test_the_answer_is_probable_from_the_frames_that_show_it_and_from_no_other(tiny, flash):
    tokens, question = flash
    shares = SingleFrames(tiny, tokens).answer_probability(question["question"], question["answer"])
    times = tokens.pts_seconds
    shown = (times >= question["start_seconds"] - 1e-3) & (times < question["end_seconds"])
    assert 1 <= int(shown.sum()) < 4
    assert float(shares[shown].min()) > 0.9
    assert float(shares[~shown].max()) < 0.1


def test_frames_side_by_side_give_what_they_give_one_by_one(tiny, flash):
    tokens, question = flash
    judged = [
        SingleFrames(tiny, tokens, at_once=count).answer_probability(
            question["question"], question["answer"]
        )
        for count in (1, 5, 64)
    ]
    torch.testing.assert_close(judged[0], judged[1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(judged[0], judged[2], atol=1e-5, rtol=1e-4)


def test_a_question_gives_the_same_whatever_was_asked_before(tiny, flash):
    tokens, question = flash
    frames = SingleFrames(tiny, tokens)
    before = frames.answer_probability(question["question"], question["answer"])
    frames.answer_probability("What color is the card with the number?", "red", ["red", "blue"])
    again = frames.answer_probability(question["question"], question["answer"])
    assert torch.equal(before, again)


def test_choices_share_what_the_model_gives_to_all_of_them(tiny, flash):
    tokens, question = flash
    frames, answer = SingleFrames(tiny, tokens), question["answer"]
    others = [number for number in ("11", "23", "98") if number != answer][:2]
    each = torch.stack(
        [frames.answer_probability(QUESTION, one) for one in (answer, *others)]
    ).double()
    among = frames.answer_probability(QUESTION, answer, (others[0], answer, others[1]))
    torch.testing.assert_close(among.double(), each[0] / each.sum(0), atol=1e-5, rtol=1e-3)


def test_the_answer_must_be_text_and_among_the_choices(tiny, flash):
    frames = SingleFrames(tiny, flash[0])
    with pytest.raises(InvalidOptionError, match="answer=' ' must be text"):
        frames.answer_probability(QUESTION, " ")
    with pytest.raises(InvalidOptionError, match="not one of choices"):
        frames.answer_probability(QUESTION, "5", ["1", "2"])
    with pytest.raises(InvalidOptionError, match="empty"):
        frames.answer_probability(" ", "5")


@pytest.fixture(params=sorted(TINY_VLMS))
def seen(request, tmp_path):
    """A tiny random model of each family, and its tokens of three frames."""
    kind = TINY_VLMS[request.param]
    kind.build(tmp_path)
    vlm = replace(load_vlm(str(tmp_path), device="cpu"), **kind.options)
    height, width = kind.size_px
    info = VideoInfo(
        width_px=width,
        height_px=height,
        duration_seconds=3.0,
        start_seconds=0.0,
        frame_count=3,
        average_fps=1.0,
        codec="none",
    )
    encoder = EachAlone(inner=vlm.encoder).fitted(info)
    tokens = encoder.encode(random_frames(3, kind.size_px), frozenset())
    assert tokens.frame_count == 3
    return vlm, tokens


def test_every_family_gives_what_a_prompt_with_the_picture_alone_gives(seen):
    vlm, tokens = seen
    judged = SingleFrames(vlm, tokens).answer_probability("What is it?", "a dog")
    by_hand = torch.stack([_by_hand(vlm, tokens.frames([row]), "a dog") for row in range(3)])
    torch.testing.assert_close(judged.double().log(), by_hand, atol=1e-3, rtol=1e-4)


def test_every_family_judges_side_by_side_as_one_by_one(seen, monkeypatch):
    vlm, tokens = seen
    # The instructions exceed what the tiny models were made for.
    monkeypatch.setattr("framesift.answering.single_frames.JUDGE", "Does it help?")
    frames = [SingleFrames(vlm, tokens, at_once=count) for count in (1, 3)]
    for explained in (False, True):
        one, all_ = (
            each.truth("What is it?", explained=explained, most_new_tokens=5) for each in frames
        )
        torch.testing.assert_close(one, all_, atol=1e-5, rtol=1e-4)
        assert 0 < float(one.min()) <= float(one.max()) < 1
    assert frames[0].captions(5) == frames[1].captions(5)


@torch.no_grad()
def test_every_family_judges_by_the_logits_behind_the_evaluation(seen, monkeypatch):
    vlm, tokens = seen
    monkeypatch.setattr("framesift.answering.single_frames.JUDGE", "Does it help?")
    judged = SingleFrames(vlm, tokens).truth("What is it?", explained=False)
    text = "Does it help?\nQuestion: What is it?"
    turn = Turn(role="user", text=text, videos=(one_picture(vlm, tokens.frames([1])),))
    prompt = vlm.prompt([turn])
    spellings = []
    for gap in (" ", ""):
        logs = [
            _said(vlm, prompt, text_ids(vlm.tokenizer, "Evaluation:"), f"{gap}{word}")
            for word in ("True", "False")
        ]
        spellings.append(torch.stack(logs))
    with_mass = max(spellings, key=lambda logs: float(logs.logsumexp(0)))
    assert float(judged[1]) == pytest.approx(float(with_mass.softmax(0)[0]), abs=1e-4)


def _said(vlm, prompt, before, word):
    """Returns the log-probability of a word behind a prompt and some tokens, by a whole pass."""
    ids = text_ids(vlm.tokenizer, word)
    logits = _pass(vlm, prompt, [*before, *ids])[len(prompt.input_ids) - 1 + len(before) :]
    shares = logits.log_softmax(-1)
    return sum(shares[place, number] for place, number in enumerate(ids))


def _pass(vlm, prompt, ids):
    """Returns the logits of a prompt and tokens behind it, float64."""
    inputs, new = dict(prompt.inputs()), torch.tensor([ids])
    places = prompt.position_ids[..., -1:] + 1 + torch.arange(len(ids))
    inputs["input_ids"] = torch.cat([inputs["input_ids"], new], -1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["position_ids"] = torch.cat([inputs["position_ids"], places[..., None, :]], -1)
    return vlm.hf(**inputs).logits[0].double()


@torch.no_grad()
def _by_hand(vlm, tokens, answer):
    """Returns the log-probability of an answer after a prompt of its own, by whole passes."""
    turn = Turn(role="user", text="What is it?", videos=(one_picture(vlm, tokens),))
    prompt = vlm.prompt([turn])
    ends = vlm.hf.generation_config.eos_token_id
    ends = [ends] if isinstance(ends, int) else list(ends or [vlm.tokenizer.eos_token_id])
    ends = [end for end in ends if end is not None]
    stop = text_ids(vlm.tokenizer, ".")
    ends += stop if len(stop) == 1 else []
    known = {tuple(text_ids(vlm.tokenizer, text)) for text in _spellings(answer)}
    logs = []
    for ids in known:
        shares = _pass(vlm, prompt, ids)[len(prompt.input_ids) - 1 :].log_softmax(-1)
        said = sum(shares[place, number] for place, number in enumerate(ids))
        logs.append(said + shares[len(ids), ends].logsumexp(0))
    return torch.stack(logs).logsumexp(0)


def _spellings(text):
    return [gap + one for gap in ("", " ") for one in (text, text[0].upper() + text[1:])]


def test_steps_of_several_frames_become_steps_of_one(tmp_path):
    kind = TINY_VLMS["qwen2-5-vl"]
    kind.build(tmp_path)
    inner = load_vlm(str(tmp_path), device="cpu").encoder
    frames, encoder = random_frames(3), EachAlone(inner=inner)
    assert (inner.frames_per_step, encoder.frames_per_step) == (2, 1)
    tokens = encoder.encode(frames, frozenset())
    assert tokens.pts_seconds.tolist() == frames.pts_seconds.tolist()
    twice = inner.encode(frames[[1, 1]], frozenset()).features[0]
    torch.testing.assert_close(tokens.features[1], twice, atol=1e-4, rtol=1e-4)
