"""A package of somebody else with parts of its own, whose tests run in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree


def run_tests(folder: Path, files: dict[str, str], *tests: str) -> dict[str, str | None]:
    """Returns for each test, as `Class::method[parameters]`, None or why it did not pass.

    Args:
        folder: an empty one, which becomes the root of the project.
        files: names and contents.
        tests: node ids; none for all.
    """
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n"
    )
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    options = ("-q", "-p", "no:cacheprovider", "--junit-xml=report.xml")
    # Plug-ins of others take longer to import than such a package's tests take to run.
    alone = {"PYTHONPATH": os.pathsep.join(paths), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=folder,
        env={**os.environ, **alone},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    outcomes = {}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        reasons = [f"{problem.tag}: {problem.get('message')}\n{problem.text}" for problem in case]
        name = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
        outcomes[name] = reasons[0] if reasons else None
    return outcomes
