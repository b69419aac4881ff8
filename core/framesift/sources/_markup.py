"""Takes the styling out of a line of subtitles and leaves its text, `<` and `>` included."""

from __future__ import annotations

import html
import re
from typing import Final

MAX_LINE: Final = 20_000
"""Letters of one line that are read."""

_HTML: Final = r"</?(?:[bius]|ruby|rt|br ?/?)>|</?font(?:[ \t][^<>]{0,200})?>"
_CLASS: Final = r"(?:\.[\w.-]{1,100})?"
_TAGS: Final = {
    "srt": re.compile(rf"(?i){_HTML}|\{{\\[^{{}}]{{0,2000}}\}}"),
    "vtt": re.compile(
        rf"(?i){_HTML}|</?(?:[bciuv]|ruby|rt|lang){_CLASS}(?:[ \t][^<>]{{0,200}})?>"
        r"|<(?:[0-9]{1,4}:)?[0-9]{1,2}:[0-9]{1,2}[.,][0-9]{1,3}>"
    ),
    "ass": re.compile(r"\{[^{}]{0,2000}\}"),
    "json3": re.compile(r"(?!)"),
}
"""Tags that the formats know. What else stands between `<` and `>` is text: `x < 3 and y > 2`."""
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def plain_line(line: str, form: str) -> str:
    """Returns a line's text without the tags of its format, entities resolved, spaces single."""
    bare = _TAGS[form].sub("", line)
    if form != "ass":
        bare = _ENTITY.sub(lambda match: html.unescape(match[0]), bare)
    return " ".join(bare.split())
