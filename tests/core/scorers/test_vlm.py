"""A vision LLM judges each frame, on this machine or behind an address."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import framesift
from chat_server import chat_server, said
from framesift.errors import EndpointError, InvalidOptionError
from framesift.scorers import registry
from framesift.scorers.candidates import GivenCandidates
from framesift.testing import TINY_VLMS, random_frames


def candidates(count=5):
    frames = random_frames(count, (32, 48))
    return GivenCandidates(pts_seconds=torch.from_numpy(frames.pts_seconds), frames=frames)


def judging(share):
    shares = {" True": share, " False": 1 - share}
    tokens = [("Evaluation", {}), (":", {}), (" True", shares)]
    return said("Evaluation: True", tokens)


def test_an_endpoint_judges_each_picture_by_itself():
    with chat_server(lambda request: judging(0.75)) as server:
        scorer = registry.create(f"vlm:model=m,endpoint={server.url},concurrency=2")
        given = candidates()
        scores = scorer.score(given, "What?", places=[0, 3, 4])
        assert server.most_in_flight <= 2
        pictures = {str(request["messages"][1]["content"][0]) for request in server.asked}
    assert scores.values.tolist() == pytest.approx([0.75] * 3)
    assert scores.reasons[0] == "helps by 0.75, as the model judges it"
    assert len(pictures) == 3
    assert given.cost.calls == 3


def test_words_without_probabilities_are_called_so():
    with chat_server(lambda request: said("Evaluation: False")) as server:
        scorer = registry.create("vlm", model="m", endpoint=server.url)
        scores = scorer.score(candidates(2), "What?")
    assert scores.values.tolist() == [0, 0]
    assert scores.reasons == ("does not help, as the model says",) * 2


def test_an_endpoint_that_does_not_judge_is_an_error_of_its_own(monkeypatch):
    monkeypatch.setattr("framesift.fetching.endpoint.paused", lambda seconds: None)
    with chat_server(lambda request: said("Who knows.")) as server:
        scorer = registry.create("vlm", model="m", endpoint=server.url)
        with pytest.raises(EndpointError, match="no evaluation"):
            scorer.score(candidates(2), "What?")


def test_a_selector_takes_it_and_the_frame_that_helps_is_chosen():
    def answer(request):
        return judging(0.9 if len(server.asked) == 3 else 0.1)

    with chat_server(answer) as server:
        spec = f"topk:scorer=[vlm:model=m,endpoint={server.url},concurrency=1]"
        sift = framesift.VideoCompressor(selector=spec)
        frames = sift.keyframes("synthetic://cuts?seconds=6&seed=1&fps=2", 1, "What?")
    assert [frame.pts_seconds for frame in frames] == [2.0]


@pytest.mark.parametrize("family", ["llava", "qwen2-5-vl"])
def test_any_family_judges_on_this_machine_also_where_two_frames_make_a_step(
    family, tmp_path, monkeypatch
):
    kind = TINY_VLMS[family]
    kind.build(tmp_path)
    monkeypatch.setattr("framesift.answering.single_frames.JUDGE", "Does it help?")
    scorer = registry.create("vlm", model=str(tmp_path), device="cpu")
    given = candidates(3)
    scorer.__dict__["vlm"] = replace(scorer.vlm, **kind.options)
    with monkeypatch.context() as patch:
        patch.setattr(type(scorer.vlm), "context_tokens", property(lambda self: 4096))
        whole = scorer.score(given, "What?").values
        one = scorer.score(given, "What?", [1]).values
    assert np.all((whole.numpy() > 0) & (whole.numpy() < 1))
    assert float(one[0]) == pytest.approx(float(whole[1]), abs=1e-5)


def test_options_that_do_not_fit_are_refused_before_any_work():
    with pytest.raises(InvalidOptionError, match="give model=NAME"):
        registry.create("vlm", endpoint="http://127.0.0.1:9/v1")
    with pytest.raises(InvalidOptionError, match="is not an address"):
        registry.create("vlm", model="m", endpoint="nowhere")


def test_what_reaches_beyond_the_package_is_seen_from_outside():
    assert registry.reaches("vlm") == []
    assert registry.reaches("vlm:endpoint=http://a/v1,model=m,key_variable=SECRET") == [
        "vlm:model=m",
        "vlm:endpoint=http://a/v1",
        "vlm:key_variable=SECRET",
    ]
