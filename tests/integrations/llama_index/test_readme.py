"""What the READMEs of both packages show is executed."""

from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

FOLDER = Path(__file__).parents[3] / "integrations"
PAGES = [FOLDER / name / "README.md" for name in ("llama-index-readers", "llama-index-llms")]
EXAMPLES = [
    pytest.param(example, id=f"{example.path.parent.name}-{example.start_line}")
    for example in find_examples(*map(str, PAGES))
]


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("example", EXAMPLES)
def test_python_blocks_run_and_print_what_they_say(
    example: CodeExample, eval_example: EvalExample, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLAMA_INDEX_CACHE_DIR", str(tmp_path / "cache"))
    if example.prefix_settings().get("test") == "skip":
        pytest.skip("marked as not to be run")
    eval_example.run_print_check(example)
