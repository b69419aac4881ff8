"""The files for containers: they name what there is, and their steps work without an engine."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from framesift_server import Settings
from framesift_server.keys import Keys

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "integrations" / "server" / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVER = COMPOSE["services"]["server"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
LINES = [line.split(maxsplit=1) for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line]
ENV = dict(
    part.split("=", 1)
    for word, *rest in LINES
    if word == "ENV"
    for part in rest[0].split()
    if "=" in part
)
COMPOSE_SPEC = ("--builtin-schema", "vendor.compose-spec")
TOOLS = os.environ.get("FRAMESIFT_DEPLOY")
needs_tools = pytest.mark.skipif(
    TOOLS is None, reason="run `make test-deploy`, which has the tools"
)


def of(word):
    """Returns what the last lines of the Dockerfile say after a word."""
    return [rest[0] for first, *rest in LINES if first == word]


def test_settings_of_the_containers_are_settings_of_the_server():
    variables = {**ENV, **SERVER["environment"]}
    named = [name.removeprefix("FRAMESIFT_").lower() for name in variables if "FRAMESIFT" in name]
    assert set(named) <= set(Settings.model_fields)
    assert {"state_folder", "host", "database", "keys_file", "allow_host"} == set(named) - {
        "grace_seconds"
    }
    options = [*json.loads(of("CMD")[-1]), *SERVER["command"]]
    for option in options:
        if option.startswith("--"):
            assert option[2:].replace("-", "_") in Settings.model_fields


def test_the_server_has_a_user_of_its_own_and_writes_into_its_volume():
    assert of("USER") == ["10001"]
    assert of("VOLUME") == ["/var/lib/framesift"]
    assert SERVER["volumes"] == ["state:/var/lib/framesift"]
    assert SERVER["read_only"]
    for name in ("FRAMESIFT_STATE_FOLDER", "HF_HOME", "TMPDIR"):
        assert ENV[name].startswith("/var/lib/framesift/")


def test_everything_that_is_copied_is_there_and_not_left_out():
    left_in = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for copied in of("COPY"):
        if copied.startswith("--from"):
            continue
        for path in copied.split()[:-1]:
            assert (ROOT / path).exists()
            assert f"!{path}" in left_in
    assert (DEPLOY / SERVER["build"]["context"]).resolve() == ROOT
    assert (ROOT / SERVER["build"]["dockerfile"]).is_file()


def test_each_service_says_when_it_is_well_and_waits_for_what_it_needs():
    services = COMPOSE["services"]
    assert of("HEALTHCHECK")
    for name in ("database", "prometheus"):
        assert services[name]["healthcheck"]["test"]
        assert ":" in services[name]["image"], "a version, not the newest"
    assert SERVER["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["prometheus"]["depends_on"]["server"]["condition"] == "service_healthy"
    for service in services.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "for others only behind a proxy"
    grace = int(SERVER["environment"]["FRAMESIFT_GRACE_SECONDS"])
    assert int(SERVER["stop_grace_period"].removesuffix("s")) > grace + 5


def test_prometheus_asks_the_server_by_a_name_that_it_knows_with_a_key_that_it_has():
    (scrape,) = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"]
    (target,) = scrape["static_configs"][0]["targets"]
    assert target == f"{SERVER['environment']['FRAMESIFT_ALLOW_HOST']}:8080"
    secret = scrape["authorization"]["credentials_file"]
    assert Path(secret).name in COMPOSE["services"]["prometheus"]["secrets"]
    assert set(COMPOSE["secrets"]) == {
        secret for service in COMPOSE["services"].values() for secret in service["secrets"]
    }


def test_no_package_index_is_named_but_by_the_reader():
    assert ["ARG", "PIP_EXTRA_INDEX_URL="] in LINES
    assert SERVER["build"]["args"] == {"PIP_EXTRA_INDEX_URL": "${PIP_EXTRA_INDEX_URL:-}"}
    for path in DEPLOY.iterdir():
        hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text()))
        assert hosts <= {"127.0.0.1", "example.org"}


def test_the_example_of_keys_is_one():
    keys = Keys.of(Settings(keys_file=DEPLOY / "keys.example.toml"))
    scraper = keys.of_header("Bearer REPLACE-WITH-WHAT-METRICS.KEY-HOLDS")
    assert scraper.operator
    assert not keys.of_header("Bearer REPLACE-WITH-A-KEY-OF-ANN").operator


def tool(name, *arguments, python=False):
    """Returns what a tool of `make test-deploy` says."""
    folder = Path(TOOLS) / "tools"
    command = [sys.executable, "-m", name] if python else [folder / "bin" / name]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([*command, *arguments], env=env, capture_output=True, check=False)


@pytest.mark.deploy
@needs_tools
def test_the_dockerfile_has_nothing_that_hadolint_finds():
    found = tool("hadolint", DEPLOY / "Dockerfile")
    assert found.returncode == 0, found.stdout.decode()


@pytest.mark.deploy
@needs_tools
def test_the_compose_file_has_the_form_of_one():
    found = tool("check_jsonschema", *COMPOSE_SPEC, DEPLOY / "compose.yaml", python=True)
    assert found.returncode == 0, found.stdout.decode()


@pytest.mark.deploy
@needs_tools
def test_what_the_readme_adds_to_the_compose_file_has_the_form_of_one(tmp_path):
    (added,) = re.findall(r"```yaml\n(.*?)```", (DEPLOY / "README.md").read_text(), re.DOTALL)
    services = yaml.safe_load(added)["services"]
    assert services.keys() <= COMPOSE["services"].keys()
    path = tmp_path / "compose.override.yaml"
    path.write_text(added)
    found = tool("check_jsonschema", *COMPOSE_SPEC, path, python=True)
    assert found.returncode == 0, found.stdout.decode()


@pytest.mark.deploy
@needs_tools
def test_prometheus_takes_its_configuration(tmp_path):
    unpacked = Path(TOOLS) / "prometheus" / "usr" / "bin" / "promtool"
    promtool = shutil.which("promtool") or (unpacked if unpacked.exists() else None)
    if promtool is None:
        pytest.skip("promtool is not installed; install the package prometheus")
    (tmp_path / "key").write_text("a-key")
    text = (DEPLOY / "prometheus.yaml").read_text()
    config = tmp_path / "prometheus.yaml"
    config.write_text(text.replace("/run/secrets/metrics", str(tmp_path / "key")))
    found = subprocess.run([promtool, "check", "config", config], capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()


def built(folder):
    """Returns what the first stage of the Dockerfile makes, by its own steps.

    But for the packages that ours need: those of the environment of the tests are taken.
    """
    source, made = folder / "source", folder / "made"
    source.mkdir()
    for copied in of("COPY"):
        *names, _ = copied.split()
        for name in () if names[0].startswith("--from") else names:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, source / name)
    steps = of("RUN")[0].replace("/opt/framesift", str(made))
    steps = steps.replace("python -m venv", f"{shlex.quote(sys.executable)} -m venv", 1)
    env = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    steps = steps.replace("pip install", "pip install --no-deps", 1)
    done = subprocess.run(
        ["sh", "-ec", steps], cwd=source, env=env, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    (ours,) = made.glob("lib/python*/site-packages")
    (ours / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return made


@pytest.mark.deploy
@needs_tools
def test_what_the_files_say_serves_requests(tmp_path, postgresql):
    """Built by the image's steps, started as it starts; asked as compose has it asked."""
    installed = built(tmp_path)
    keys = {"ann": "a-key-of-ann-of-16", "prometheus": "a-key-of-prometheus"}
    text = (DEPLOY / "keys.example.toml").read_text()
    text = text.replace("REPLACE-WITH-A-KEY-OF-ANN", keys["ann"])
    text = text.replace("REPLACE-WITH-WHAT-METRICS.KEY-HOLDS", keys["prometheus"])
    (tmp_path / "keys.toml").write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("FRAMESIFT_")}
    env |= {
        **{name: text for name, text in SERVER["environment"].items() if "GRACE" in name},
        "FRAMESIFT_ALLOW_HOST": SERVER["environment"]["FRAMESIFT_ALLOW_HOST"],
        "FRAMESIFT_DATABASE": postgresql("postgres"),
        "FRAMESIFT_KEYS_FILE": str(tmp_path / "keys.toml"),
        "FRAMESIFT_STATE_FOLDER": str(tmp_path / "state"),
        "FRAMESIFT_PORT": str(port),
        "FRAMESIFT_ALLOW_SYNTHETIC": "true",
        "TMPDIR": str(tmp_path / "tmp"),
    }
    (tmp_path / "tmp").mkdir()
    (entry,) = json.loads(of("ENTRYPOINT")[-1])
    command = [installed / "bin" / entry, *json.loads(of("CMD")[-1])]
    server = subprocess.Popen(command, env=env, cwd=tmp_path)

    def ask(path, key=None, body=None):
        headers = {"Host": "server:8080", "Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {keys[key]}"
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                status, said = ask("/ready")
                if status == 200:
                    break
            except OSError as error:
                said = error
            assert server.poll() is None
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        check = json.loads(of("HEALTHCHECK")[-1].partition("CMD ")[2])
        check[0] = installed / "bin" / check[0]
        well = [str(word).replace(":8080", f":{port}") for word in check]
        assert subprocess.run(well, check=False).returncode == 0
        clip = {"video": "synthetic://number?seed=3", "question": "What number flashes?"}
        assert ask("/v1/ask", None, clip)[0] == 401
        status, answer = ask("/v1/ask", "ann", clip)
        assert (status, json.loads(answer)["text"]) == (200, "44")
        assert ask("/metrics", "ann")[0] == 403
        status, told = ask("/metrics", "prometheus")
        assert status == 200
        assert 'framesift_usage_requests_total{client="ann"} 1.0' in told
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 128 + signal.SIGTERM
    finally:
        server.kill()
        server.wait()
