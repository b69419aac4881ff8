"""Makes a site of the files as they lie in the repository, where their links work as well.

Pages that stand outside `docs/` keep their paths in the site. A link to a picture or to figures
of a run takes the file along; one to any other file of the repository leads to the host's page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = ("PARTS.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md")
"""Pages of the root, and below the READMEs of folders, that are pages of the site too."""
SURFACES = (
    "langchain",
    "llama-index-readers",
    "llama-index-llms",
    "server",
    "mcp",
    "lmms-eval",
    "ray",
)
RESULTS = "examples/results/"
LINK = re.compile(r"(\]\(|(?<=src=\"))([^()\s\"]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Returns the files of `docs/` with those of the repository that are shown beside them."""
    root = Path(config.config_file_path).parent
    shown = [*OUTSIDE, *(f"integrations/{name}/README.md" for name in SURFACES)]
    shown += [path.relative_to(root).as_posix() for path in sorted((root / RESULTS).iterdir())]
    for path in shown:
        files.append(File.generated(config, path, abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Returns the text of a page with its links as the site needs them."""
    root = Path(config.config_file_path).parent
    own = page.file.src_uri
    inside = page.file.generated_by is None
    folder = posixpath.dirname(f"docs/{own}" if inside else own)

    def led(match: re.Match[str]) -> str:
        before, address = match.groups()
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not parts.path:
            return match.group()
        target = posixpath.normpath(posixpath.join(folder, parts.path))
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        in_site = target.removeprefix("docs/")
        if files.get_file_from_path(in_site):
            return before + posixpath.relpath(in_site, posixpath.dirname(own) or ".") + anchor
        if (root / target).exists():
            kind = "tree" if (root / target).is_dir() else "blob"
            return f"{before}{config.repo_url}/{kind}/main/{target}{anchor}"
        return match.group()

    return LINK.sub(led, markdown)
