"""The description of a server is what it takes and sends; schemathesis looks for what is not."""

import json
import subprocess
import sys
import threading
import time

import jsonschema
import pytest
import uvicorn

from framesift_server import Settings, create_app

CLIPS = ["synthetic://static?seconds=1&width=64&height=64", "synthetic://number?seconds=2"]
KEY = "a-secret"
CONFIG = """
# Any bytes are a file, so none that a form holds are wrong.
[[operations]]
include-name = "POST /v1/uploads"
generation.mode = "positive"

# DELETE cancels a job; how it ended can be read from then on.
[[operations]]
include-path-regex = "^/v1/jobs/"
checks.use_after_free.enabled = false
"""


@pytest.fixture
def listening(tmp_path):
    """A server on loopback at a port of its own, and where it is."""
    settings = Settings(allow_synthetic=True, api_key=KEY, state_folder=tmp_path / "state")
    app = create_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield app, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(60)


def page(**settings):
    return create_app(Settings(**settings)).openapi()


def operations(page):
    return {
        f"{method.upper()} {path}": operation
        for path, methods in page["paths"].items()
        for method, operation in methods.items()
    }


def test_every_error_is_a_problem_and_only_what_needs_the_key_says_so():
    locked = operations(page(api_key=KEY))
    for name, operation in locked.items():
        is_open = name in ("GET /health", "GET /ready")
        assert ("security" not in operation) == is_open, name
        assert ("401" in operation["responses"]) != is_open, name
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (name, status)
    assert not any("security" in operation for operation in operations(page()).values())


def test_forms_headers_and_streams_are_described():
    found = operations(page())
    forms = found["POST /v1/compress"]["responses"]["200"]["content"]
    assert set(forms) == {
        "application/json",
        "application/x-ndjson",
        "application/x-safetensors",
    }
    assert "406" in found["POST /v1/compress"]["responses"]
    job = found["POST /v1/jobs"]["responses"]
    assert "Location" in job["202"]["headers"]
    assert "Retry-After" in job["429"]["headers"]
    events = found["GET /v1/jobs/{job_id}/events"]["responses"]["200"]["content"]
    assert list(events) == ["text/event-stream"]
    assert "206" in found["GET /v1/results/{name}"]["responses"]


def test_it_says_what_this_server_allows(serve):
    options = {"min_compression_ratio": 0.05, "models": ("tiny",)}
    schema = page(**options)["components"]["schemas"]["CompressRequest"]["properties"]
    assert schema["compression_ratio"]["minimum"] == 0.05
    assert schema["encoder"]["anyOf"][0]["enum"] == ["handcrafted"]
    low = serve(**options)
    asked = {"video": CLIPS[1], "compression_ratio": 0.1, "encoder": "handcrafted"}
    report = low.post("/v1/compress", json=asked).json()["report"]
    assert (report["keep"], report["tokens_out"]) == (0.1, 39)
    refused = low.post("/v1/compress", json={**asked, "compression_ratio": 0.04})
    assert refused.status_code == 422
    assert "below 0.05" in refused.json()["detail"]
    high = serve(min_compression_ratio=0.5)
    del asked["compression_ratio"]
    assert high.post("/v1/compress", json=asked).json()["report"]["keep"] == 0.5


def test_examples_are_valid():
    whole = page()
    for operation in operations(whole).values():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in body.get("examples", {}).values():
            schema = {**body["schema"], "components": whole["components"]}
            jsonschema.validate(example["value"], schema)


def test_a_video_has_two_names(client):
    small = {"encoder": "handcrafted", "outputs": []}
    given = [
        client.post("/v1/compress", json={**small, **named}).json()["positions"]
        for named in (
            {"video": CLIPS[0]},
            {"video_url": CLIPS[0]},
            {"video_url": {"url": CLIPS[0]}},
        )
    ]
    assert given[0] == given[1] == given[2]
    job = {"kind": "keyframes", "video_url": {"url": CLIPS[0]}}
    assert client.post("/v1/jobs", json=job).status_code == 202


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"video": CLIPS[0], "video_url": CLIPS[0]}, "video or video_url, not both"),
        ({"video_url": {"url": CLIPS[0], "detail": "low"}}, "video_url must be an address"),
        ({"video_url": 5}, "video_url must be an address"),
        ({"video_url": {"url": ["x"]}}, "video_url must be an address"),
        ({}, "video: Field required"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/compress", "/v1/jobs"])
def test_a_video_without_one_clear_name_is_one_line(client, path, named, words):
    refused = client.post(path, json={"kind": "compress", **named})
    assert refused.status_code == 422
    assert words in refused.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("PUT", "/v1/jobs/x", 405, "PUT is not allowed here; allowed are: DELETE, GET"),
        ("GET", "/v1/compress", 405, "allowed are: POST"),
        ("GET", "/v1/nothing", 404, "/docs shows what there is"),
    ],
)
def test_what_no_route_takes_is_a_problem(client, method, path, status, words):
    refused = client.request(method, path)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert words in refused.json()["detail"]
    if status == 405:
        assert refused.headers["allow"] in words


@pytest.mark.parametrize(
    ("path", "given", "wanted"),
    [
        ("/v1/compress", "text/plain", "application/json"),
        ("/v1/jobs", None, "application/json"),
        ("/v1/uploads", "application/json", "multipart/form-data"),
    ],
)
def test_a_body_of_another_type_is_named(client, path, given, wanted):
    headers = {} if given is None else {"content-type": given}
    refused = client.post(path, content=b"{}", headers=headers)
    assert refused.status_code == 415
    assert (
        refused.json()["detail"] == f"the body is of type {given or 'none'!r}; send it as {wanted}"
    )


@pytest.mark.parametrize(
    ("asked", "status"), [("bytes=x", 400), ("cats=1-2", 400), ("bytes=99999999-", 416)]
)
def test_a_range_that_is_wrong_is_a_problem(client, asked, status):
    asks = {"video": CLIPS[0], "encoder": "handcrafted"}
    lines = client.post("/v1/compress", json=asks, headers={"accept": "application/x-ndjson"})
    url = json.loads(lines.text.splitlines()[0])["features"]["url"]
    refused = client.get(url, headers={"range": asked})
    assert refused.status_code == refused.json()["status"] == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert ("content-range" in refused.headers) == (status == 416)


def test_whole_numbers_may_be_written_with_a_point(client):
    asked = {"video": CLIPS[1], "count": 2.0}
    assert len(client.post("/v1/keyframes", json=asked).json()["keyframes"]) == 2


def test_text_is_compressed_where_the_client_takes_it_and_tensors_are_not(client):
    asked = {"video": CLIPS[1], "encoder": "handcrafted", "outputs": []}
    plain, packed = (
        client.post("/v1/compress", json=asked, headers={"accept-encoding": encoding})
        for encoding in ("identity", "gzip")
    )
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert packed.json()["positions"] == plain.json()["positions"]
    headers = {"accept-encoding": "gzip", "accept": "application/x-ndjson"}
    lines = client.post("/v1/compress", json={**asked, "outputs": ["features"]}, headers=headers)
    assert lines.headers["content-encoding"] == "gzip"
    url = json.loads(lines.text.splitlines()[0])["features"]["url"]
    for path, name in ((url, "GET"), ("/v1/compress", "POST")):
        headers["accept"] = "application/x-safetensors"
        body = {} if name == "GET" else {"json": asked}
        tensors = client.request(name, path, headers=headers, **body)
        assert "content-encoding" not in tensors.headers
        assert int(tensors.headers["content-length"]) == len(tensors.content)


def narrowed(page):
    """Returns a page whose options are short synthetic videos and parts that exist.

    Which names of parts are valid no schema can say, and other videos are fetched.
    """
    video = {"enum": CLIPS}
    url = {"type": "object", "properties": {"url": video}, "required": ["url"]}
    parts = {
        "video": video,
        "video_url": {"anyOf": [video, {**url, "additionalProperties": False}]},
        "strategy": {"enum": ["temporal", "uniform"]},
        "selector": {"enum": ["keyframes", "uniform"]},
    }
    for name, schema in page["components"]["schemas"].items():
        if name.endswith("Request"):
            options = schema["properties"]
            nullable = name != "TranscriptRequest"
            parts["text"] = {"enum": ["subtitles", ["subtitles"], *([None] * nullable)]}
            options |= {part: narrow for part, narrow in parts.items() if part in options}
    parts["text"] = {"enum": ["subtitles", ["subtitles"]]}
    for parameter in page["paths"]["/v1/transcript"]["get"]["parameters"]:
        parameter["schema"] = parts.get(parameter["name"], parameter["schema"])
    # That a key of one request does not fit another is meant, and looks like a fault to it.
    del page["paths"]["/v1/jobs"]["post"]["parameters"]
    return page


@pytest.mark.slow
def test_schemathesis_finds_nothing(listening, tmp_path):
    """All its checks, with valid and invalid requests, the same each time."""
    app, address = listening
    (tmp_path / "openapi.json").write_text(json.dumps(narrowed(app.openapi())))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"]
    command += ["run", "openapi.json", "--url", address, "-H", f"Authorization: Bearer {KEY}"]
    command += ["--max-examples", "5", "--generation-deterministic", "--request-timeout", "60"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Selected: " in found.stdout
