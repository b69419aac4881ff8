"""What the server answers is what the core answers."""

import base64
import io

import pytest
import torch
from PIL import Image
from safetensors.torch import load

import framesift
from framesift import SiteOptions, Turn, VideoCompressor
from framesift.errors import DownloadError
from framesift.export import engines

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"


@pytest.fixture(scope="module")
def sift():
    return VideoCompressor(vlm="tiny", strategy="temporal", keep=0.25)


def test_an_answer_and_its_evidence_are_those_of_python(client, sift):
    asked = {"video": CLIP, "question": QUESTION, "evidence": "attention"}
    given = client.post("/v1/ask", json=asked).json()
    answer = sift.ask(CLIP, QUESTION, evidence="attention").model_dump(mode="json")
    assert given["text"] == answer["text"]
    assert given["evidence"] == answer["evidence"]
    assert given["usage"]["visual_tokens_after"] == answer["usage"]["visual_tokens_after"]


def test_the_ratio_is_the_share_that_is_kept(client):
    asked = {"video": CLIP, "compression_ratio": 0.5, "strategy": "uniform", "outputs": []}
    given = client.post("/v1/compress", json=asked).json()
    report = given["report"]
    assert report["keep"] == 0.5
    assert report["tokens_out"] * 2 == report["tokens_in"]
    assert given["features"] is None


def test_compressed_tokens_are_those_of_python_to_the_bit(client, sift):
    asked = {"video": CLIP, "question": QUESTION, "outputs": ["features", "prompt_embeds"]}
    given = client.post("/v1/compress", json=asked).json()
    video = sift.compress(CLIP)
    tensors = load(base64.b64decode(given["features"]["data"]))
    assert torch.equal(tensors["tokens"], video.tokens)
    assert given["features"]["shape"] == list(video.tokens.shape)
    assert given["features"]["dtype"] == "float32"
    assert given["positions"] == video.positions.tolist()
    assert given["pts_seconds"] == video.pts_seconds.tolist()
    assert given["sources"] == video.plan.sources.tolist()
    vlm = framesift.load_vlm("tiny")
    turn = Turn(role="user", text=QUESTION, videos=(video,))
    embeds = engines.prompt_embeds(vlm, vlm.prompt([turn], positions="compact"))
    sent = base64.b64decode(given["prompt_embeds"])
    assert torch.equal(torch.load(io.BytesIO(sent), weights_only=True), embeds)


def test_a_served_encoder_needs_no_model(client):
    asked = {"video": CLIP, "encoder": "handcrafted", "compression_ratio": 1.0}
    given = client.post("/v1/compress", json=asked).json()
    assert given["report"]["encoder"].startswith("handcrafted")
    assert given["report"]["tokens_out"] == given["report"]["tokens_in"]


def test_keyframes_are_small_jpegs_at_the_times_of_python(client, sift):
    asked = {"video": CLIP, "count": 3, "max_edge_px": 96}
    given = client.post("/v1/keyframes", json=asked).json()
    frames = sift.keyframes(CLIP, 3)
    assert [f["pts_seconds"] for f in given["keyframes"]] == [f.pts_seconds for f in frames]
    for shown in given["keyframes"]:
        head, _, data = shown["url"].partition(",")
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert head == "data:image/jpeg;base64"
        assert max(image.size) == 96
    assert given["warnings"] == []


def test_an_upload_is_asked_about_until_it_is_removed(serve, tmp_path):
    client = serve(models=("tiny",))
    with framesift.open_video(CLIP) as local:
        content = local.path.read_bytes()
    response = client.post("/v1/uploads", files={"file": ("talk.mp4", content)})
    video = response.json()["video"]
    assert response.status_code == 201
    assert response.json()["size_bytes"] == len(content)
    by_upload = client.post("/v1/ask", json={"video": video, "question": QUESTION}).json()
    by_link = client.post("/v1/ask", json={"video": CLIP, "question": QUESTION}).json()
    assert by_upload["text"] == by_link["text"]
    assert "trained on synthetic:// videos only" in by_upload["warnings"][0]
    assert by_link["warnings"] == []
    assert {part["uri"] for part in by_upload["evidence"]} == {video}
    assert client.delete(f"/v1/uploads/{video}").status_code == 204
    gone = client.post("/v1/ask", json={"video": video, "question": QUESTION})
    assert gone.status_code == 422
    assert "not an upload" in gone.json()["detail"]


def test_without_a_named_model_only_synthetic_videos_are_asked_about(client, caplog):
    with framesift.open_video(CLIP) as local:
        sent = client.post("/v1/uploads", files={"file": ("a.mp4", local.path.read_bytes())})
    video = sent.json()["video"]
    for address in (video, "https://example.org/talk.mp4"):
        asked = {"video": address, "question": "Who is speaking?"}
        refused = client.post("/v1/ask", json=asked)
        assert refused.status_code == 422
        line = refused.json()["detail"]
        assert "start the server with --models llava-hf/" in line
        assert address in line
    assert client.post("/v1/ask", json={"video": CLIP, "question": QUESTION}).status_code == 200
    for path in ("compress", "keyframes"):
        assert client.post(f"/v1/{path}", json={"video": video}).status_code == 200


def test_a_part_of_an_upload_is_meant_as_a_part_of_a_link_is(client):
    with framesift.open_video(CLIP) as local:
        sent = client.post("/v1/uploads", files={"file": ("a.mp4", local.path.read_bytes())})
    video = sent.json()["video"]
    given = [
        client.post("/v1/keyframes", json={"video": f"{address}{part}", "count": 64}).json()
        for part in ("#t=2,5", "")
        for address in (video, CLIP)
    ]
    assert given[0] == given[1]
    assert [frame["pts_seconds"] for frame in given[0]["keyframes"]] == [2.0, 3.0, 4.0]
    assert given[2] == given[3] != given[0]
    empty = client.post("/v1/keyframes", json={"video": f"{video}#t=5,2"})
    assert empty.status_code == 422
    assert "leaves nothing" in empty.json()["detail"]


def test_the_oldest_upload_makes_room(serve):
    small = serve(max_uploads=1)
    first, second = (
        small.post("/v1/uploads", files={"file": ("a.mp4", b"none")}).json()["video"]
        for _ in range(2)
    )
    statuses = [
        small.post("/v1/keyframes", json={"video": video}).status_code for video in (first, second)
    ]
    assert statuses == [422, 415]


def test_strategies_are_listed_with_their_options(client):
    listed = {row["name"]: row for row in client.get("/v1/strategies").json()}
    assert set(listed) == set(framesift.strategies())
    assert "threshold" in listed["temporal"]["options"]


def test_the_page_of_the_interface_holds_examples_that_work(client):
    page = client.get("/openapi.json").json()
    body = page["paths"]["/v1/ask"]["post"]["requestBody"]["content"]["application/json"]
    example = body["examples"]["a demo"]["value"]
    assert client.post("/v1/ask", json=example).status_code == 200
    ratio = page["components"]["schemas"]["CompressRequest"]["properties"]["compression_ratio"]
    assert (ratio["minimum"], ratio["maximum"]) == (0.25, 1.0)
    assert "kept" in ratio["description"]


def test_metrics_count_requests_and_tokens_of_this_server_alone(serve):
    fresh = serve()
    assert 'framesift_requests_total{path="/v1/compress"' not in fresh.get("/metrics").text
    fresh.post("/v1/compress", json={"video": CLIP, "encoder": "handcrafted"})
    text = fresh.get("/metrics").text
    assert 'framesift_requests_total{path="/v1/compress",status="200"} 1.0' in text
    assert 'framesift_visual_tokens_total{side="before"}' in text
    assert 'framesift_working{model="handcrafted"} 0.0' in text


def test_languages_and_height_reach_the_page_and_no_login_does(client, monkeypatch):
    opened = []

    def seen(uri, limits, *, site):
        opened.append(site)
        raise DownloadError("no page here")

    monkeypatch.setattr("framesift_server.work.open_video", seen)
    body = {"video": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"}
    given = {"language": "de, en", "max_height_px": 360}
    assert client.post("/v1/keyframes", json=body).status_code == 424
    assert client.post("/v1/keyframes", json={**body, **given}).status_code == 424
    assert client.get("/v1/transcript", params={**body, **given}).status_code == 424
    assert opened[0] == SiteOptions()
    assert opened[1] == opened[2] == SiteOptions(language=("de", "en"), max_height_px=360)
    for wrong in ({"language": "german!"}, {"max_height_px": 1}, {"cookies_file": "/etc/passwd"}):
        assert client.post("/v1/keyframes", json={**body, **wrong}).status_code == 422
