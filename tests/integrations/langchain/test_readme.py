"""What README shows is executed and prints what it says."""

from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

pytest.importorskip("langchain_core")
pytest.importorskip("transformers")

README = Path(__file__).parents[3] / "integrations" / "langchain" / "README.md"


@pytest.mark.parametrize("example", list(find_examples(str(README))), ids=str)
def test_python_blocks_run_and_print_what_they_say(
    example: CodeExample, eval_example: EvalExample, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    eval_example.run_print_check(example)
