"""Tests of a process share the process that their workers are forks of."""

import os

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call():
    """Takes away what pytest tells each test by the environment, which would begin another."""
    test = os.environ.pop("PYTEST_CURRENT_TEST", None)
    try:
        return (yield)
    finally:
        if test is not None:
            os.environ["PYTEST_CURRENT_TEST"] = test
