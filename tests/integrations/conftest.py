"""What every surface needs."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory):
    """Keeps the state of servers out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state-home")))
        patch.setenv("FRAMESIFT_ALLOW_HOST", "testserver")  # as test clients call a server
        yield
