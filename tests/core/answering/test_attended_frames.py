"""Which frames an answer rests on, also one that the model has not given itself."""

import pytest
import torch

import framesift
from framesift.answering.attended_frames import AttendedFrames
from framesift.answering.generation import Generation
from framesift.answering.session import Session
from framesift.errors import BudgetError
from framesift.vlms.load import load_vlm
from framesift.vlms.prompt import Turn


@pytest.fixture(scope="module")
def flash():
    vlm = load_vlm("tiny")
    sift = framesift.VideoCompressor(vlm=vlm, strategy="uniform", keep=1.0)
    with framesift.open_video("synthetic://number?seconds=16&seed=3&fps=4") as local:
        return vlm, sift.compress(local), local.truth["questions"][0]


def test_an_answer_rests_on_the_frames_that_show_it(flash):
    vlm, video, question = flash
    found = AttendedFrames(vlm, video).frames(question["question"], question["answer"])
    times = video.frame_seconds[found]
    assert 1 <= len(times) < 4
    assert bool((times >= question["start_seconds"] - 1e-3).all())
    assert bool((times < question["end_seconds"]).all())


def test_the_weights_are_those_of_the_same_answer_in_a_chat(flash):
    vlm, video, question = flash
    turn = Turn(role="user", text=question["question"], videos=(video,))
    answer, theirs, kind = Session(vlm).token_weights(
        [turn], Generation(), "attention", words=question["question"]
    )
    assert (answer.text, kind) == (question["answer"], "attention")
    frames = AttendedFrames(vlm, video)
    frames.weights("What color is the card with the number?", "red")
    ours = frames.weights(question["question"], question["answer"])
    # The chat's also holds where the end of the answer looks.
    assert ours.shape == theirs.shape
    assert float(torch.corrcoef(torch.stack([ours, theirs]))[0, 1]) > 0.9


def test_a_video_beyond_the_context_is_refused(flash):
    vlm, _, question = flash
    sift = framesift.VideoCompressor(vlm=vlm, strategy="uniform", keep=1.0, fps=8)
    video = sift.compress("synthetic://static?seconds=17&fps=8")
    with pytest.raises(BudgetError, match="8192"):
        AttendedFrames(vlm, video).frames(question["question"], question["answer"])
