"""What `framesift.testing` names is there, and only suites need pytest."""

import importlib
import subprocess
import sys

import pytest

from framesift import testing


def test_public_names_are_sorted_complete_and_described():
    assert set(testing.__all__) == set(testing._HOMES)
    for name in testing.__all__:
        value = getattr(testing, name)
        assert name == "TINY_VLMS" or value.__doc__, name


def test_every_promise_says_in_a_line_what_it_promises():
    suites = [getattr(testing, name) for name in testing.__all__ if name.endswith("Contract")]
    assert len(suites) == 10
    for suite in suites:
        promises = [name for name in dir(suite) if name.startswith("test_")]
        assert promises
        for promise in promises:
            assert getattr(suite, promise).__doc__.strip().splitlines()[0].endswith("."), promise


def test_without_pytest_an_error_says_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['pytest'] = None\n"
        "from framesift.testing import assert_near, random_tokens, tiny_tower, TINY_VLMS\n"
        "try: from framesift.testing import StrategyContract\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "run: pip install 'framesift[testing]'" in done.stdout


def test_what_is_imported_already_is_not_asked_to_be_rewritten(monkeypatch):
    importlib.import_module("framesift.testing.selectors")
    asked = []
    # pytest warns of such a module, which fails the tests of whoever takes warnings for errors.
    monkeypatch.setattr(pytest, "register_assert_rewrite", lambda *names: asked.extend(names))
    testing.__getattr__("SelectorContract")
    assert "framesift.testing.selectors" not in asked
