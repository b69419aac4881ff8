"""A server with the tiny model, in this process."""

import pytest
from fastapi.testclient import TestClient

from framesift_server import Settings, create_app


@pytest.fixture(scope="session")
def client():
    with TestClient(create_app(Settings(allow_synthetic=True))) as client:
        yield client


@pytest.fixture
def serve():
    """Starts further servers; returns their clients."""
    started = []

    def start(**settings):
        client = TestClient(create_app(Settings(**{"allow_synthetic": True, **settings})))
        started.append(client.__enter__())
        return client

    yield start
    for client in started:
        client.__exit__(None, None, None)
