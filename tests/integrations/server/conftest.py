"""A server with the tiny model, in this process."""

import pytest
from fastapi.testclient import TestClient

from framesift_server import Settings, create_app


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    settings = Settings(allow_synthetic=True, state_folder=tmp_path_factory.mktemp("state"))
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def serve(tmp_path_factory):
    """Starts further servers, each with a state folder of its own; returns their clients."""
    started = []

    def start(**settings):
        settings = {
            "allow_synthetic": True,
            "state_folder": tmp_path_factory.mktemp("state"),
            **settings,
        }
        client = TestClient(create_app(Settings(**settings)))
        started.append(client.__enter__())
        return client

    yield start
    for client in started:
        client.__exit__(None, None, None)
