"""What the operator decides."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import framesift_server
from framesift import load_vlm
from framesift_server import Settings


@pytest.fixture
def served(monkeypatch, tmp_path):
    """Collects what would be served instead of serving it."""
    found = {}
    monkeypatch.setenv("FRAMESIFT_STATE_FOLDER", str(tmp_path / "state"))

    def serve(settings):
        found.update(host=settings.host, port=settings.port, app=settings)

    monkeypatch.setattr("framesift_server.processes.serve", serve)
    return found


def test_it_is_closed_and_local_by_default():
    settings = Settings()
    assert settings.host == "127.0.0.1"
    assert settings.models == ("tiny",)
    assert not settings.allow_synthetic
    assert settings.api_key is None


def test_the_environment_is_read(monkeypatch):
    monkeypatch.setenv("FRAMESIFT_MODELS", "tiny, llava-hf/llava-1.5-7b-hf,")
    monkeypatch.setenv("FRAMESIFT_API_KEY", "a-secret")
    settings = Settings()
    assert settings.models == ("tiny", "llava-hf/llava-1.5-7b-hf")
    assert "a-secret" not in repr(settings)


def test_options_of_a_model_belong_to_it(monkeypatch):
    monkeypatch.setenv("FRAMESIFT_ENCODERS", "clip:model=/a,device=cpu,handcrafted")
    monkeypatch.setenv("FRAMESIFT_MODELS", "qwen2-5-vl:model=/b,max_step_tokens=9,tiny")
    settings = Settings()
    assert settings.encoders == ("clip:model=/a,device=cpu", "handcrafted")
    assert settings.models == ("qwen2-5-vl:model=/b,max_step_tokens=9", "tiny")


def test_arguments_win_over_the_environment(monkeypatch, served):
    monkeypatch.setenv("FRAMESIFT_PORT", "9001")
    monkeypatch.setenv("FRAMESIFT_QUEUE", "3")
    framesift_server.main(["--port", "9002", "--models", "tiny,other", "--allow-synthetic"])
    assert (served["port"], served["host"]) == (9002, "127.0.0.1")
    assert served["app"].models == ("tiny", "other")
    assert served["app"].queue == 3
    assert served["app"].allow_synthetic


def test_the_default_model_is_compiled_at_the_start_where_there_is_a_gpu(serve, monkeypatch):
    warmed = []
    monkeypatch.setattr("framesift_server.work.warm_up", warmed.append)
    serve()
    gpu = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True))
    monkeypatch.setattr("framesift_server.service.torch", gpu)
    serve(compile=False)
    assert warmed == []
    client = serve()
    body = {"video": "synthetic://number?seconds=2", "question": "What number flashes?"}
    assert client.post("/v1/ask", json=body).status_code == 200
    (vlm,) = warmed
    assert vlm == load_vlm("tiny")


def test_a_model_that_cannot_be_compiled_is_served(serve, monkeypatch, caplog):
    gpu = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True))
    monkeypatch.setattr("framesift_server.service.torch", gpu)
    client = serve()
    body = {"video": "synthetic://number?seconds=2", "question": "What number flashes?"}
    answer = client.post("/v1/ask", json=body).json()
    assert not any("compiled" in warning for warning in answer["warnings"])
    assert "tiny is not compiled: it makes answers faster on CUDA only" in caplog.text


def test_compiling_is_left_out_by_an_argument(served):
    framesift_server.main(["--no-compile"])
    assert not served["app"].compile


def test_state_lies_where_the_system_keeps_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Settings().state_folder == tmp_path / "framesift"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().state_folder == tmp_path / ".local" / "state" / "framesift"


def test_a_database_that_cannot_be_used_is_one_line_before_anything_is_served(served):
    with pytest.raises(SystemExit, match="framesift serve: --database must be") as stopped:
        framesift_server.main(["--database", "mysql://u:secret@h/n"])
    assert "secret" not in str(stopped.value)
    assert not served


@pytest.mark.parametrize(
    "wrong", [["--port", "x"], ["--queue", "-1"], ["--models", ","], ["--workers", "0"]]
)
def test_a_wrong_argument_is_one_line(wrong, served):
    with pytest.raises(SystemExit) as stopped:
        framesift_server.main(wrong)
    assert str(stopped.value).startswith(f"framesift serve: {wrong[0]}: ")
    assert "\n" not in str(stopped.value)
    assert not served


def test_help_comes_before_torch_is_imported():
    code = (
        "import sys, framesift_server\n"
        "try:\n    framesift_server.main(['--help'])\n"
        "except SystemExit:\n    print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.startswith("usage: framesift serve")
    assert out.stdout.endswith("False\n")


def test_a_gateway_is_served_with_settings_of_its_own(served, monkeypatch):
    framesift_server.main(["gateway", "--upstream", "http://localhost:8000/v1/", "--port", "9003"])
    assert (served["port"], served["app"].upstream) == (9003, "http://localhost:8000/v1")


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (["--selector", "nonsense"], "framesift gateway: unknown selector 'nonsense'; "),
        (["--strategy", "temporal:a=1"], "framesift gateway: .*'temporal' has no option 'a'"),
    ],
)
def test_a_gateway_with_a_wrong_part_does_not_start(served, option, line):
    with pytest.raises(SystemExit, match=line):
        framesift_server.main(["gateway", "--upstream", "http://localhost/v1", *option])
    assert served == {}


def test_a_gateway_needs_an_upstream_or_a_model(served):
    line = r"^framesift gateway: nothing would answer; give --upstream with .* or --vlm with .*$"
    with pytest.raises(SystemExit, match=line):
        framesift_server.main(["gateway"])
    with pytest.raises(SystemExit, match=r"the route local needs a model .* give it by --vlm$"):
        framesift_server.main(["gateway", "--upstream", "http://localhost/v1", "--route", "local"])
    with pytest.raises(SystemExit, match="which model of the upstream is --vlm; give its name by"):
        framesift_server.main(["gateway", "--vlm", "tiny", "--route", "embeds"])
    with pytest.raises(SystemExit, match=r"--embeds-for names .* give --upstream and --vlm$"):
        framesift_server.main(["gateway", "--vlm", "tiny", "--embeds-for", "a"])
    framesift_server.main(["gateway", "--vlm", "tiny"])
    assert (served["app"].upstream, served["app"].vlm) == (None, "tiny")
