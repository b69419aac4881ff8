"""What the operator decides."""

import subprocess
import sys

import pytest

import framesift_server
from framesift_server import Settings


@pytest.fixture
def served(monkeypatch):
    """Collects what would be served instead of serving it."""
    found = {}

    def serve(config):
        found.update(host=config.host, port=config.port, app=config.app.state.service.settings)

    monkeypatch.setattr("framesift_server.ending.serve", serve)
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


def test_arguments_win_over_the_environment(monkeypatch, served):
    monkeypatch.setenv("FRAMESIFT_PORT", "9001")
    monkeypatch.setenv("FRAMESIFT_QUEUE", "3")
    framesift_server.main(["--port", "9002", "--models", "tiny,other", "--allow-synthetic"])
    assert (served["port"], served["host"]) == (9002, "127.0.0.1")
    assert served["app"].models == ("tiny", "other")
    assert served["app"].queue == 3
    assert served["app"].allow_synthetic


@pytest.mark.parametrize("wrong", [["--port", "x"], ["--queue", "-1"], ["--models", ","]])
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
