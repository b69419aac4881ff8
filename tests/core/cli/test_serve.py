import importlib
import sys

import pytest

from framesift import cli


@pytest.fixture
def serve(monkeypatch, capsys):
    """Runs `framesift serve` in this process; returns exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", "serve", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


def test_without_the_server_it_says_what_to_install(serve, monkeypatch):
    monkeypatch.setitem(sys.modules, "framesift_server", None)
    code, _, err = serve()
    assert code == 2
    assert err == (
        "framesift: 'framesift_server' is not installed; run: pip install framesift-server\n"
    )


def test_arguments_go_to_the_server_as_they_are(serve, monkeypatch):
    given = []

    class Server:
        main = staticmethod(given.append)

    monkeypatch.setitem(sys.modules, "framesift_server", Server)
    assert serve("--port", "9000", "--allow-synthetic", "--help")[0] == 0
    assert given == [("--port", "9000", "--allow-synthetic", "--help")]


def test_a_broken_server_is_not_called_missing(serve, monkeypatch):
    def fail(name):
        raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")

    monkeypatch.setattr(importlib, "import_module", fail)
    monkeypatch.setattr(sys, "argv", ["framesift", "serve"])
    with pytest.raises(ModuleNotFoundError, match="uvicorn"):
        cli.main()


def test_the_gateway_is_the_servers_too(monkeypatch):
    given = []

    class Server:
        main = staticmethod(given.append)

    monkeypatch.setitem(sys.modules, "framesift_server", Server)
    monkeypatch.setattr(sys, "argv", ["framesift", "gateway", "--upstream", "http://x", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert given == [("gateway", "--upstream", "http://x", "--help")]
