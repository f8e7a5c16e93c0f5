"""The pages of the documentation, and their code as it is marked in them.

Belongs here: reading pages. Does not: running code (test_code_blocks.py), following links (test_links.py).

What stands behind the three backticks says what becomes of a block:

    sh                 runs, in the one shell of its page, in a folder of the page's own
    sh server          runs beside the following blocks; they wait until the gateway that it starts is ready; the one
                       before it is stopped
    sh norun           does not run
    text output        what the block before it prints; `…` stands for anything
    python             runs as a script in the page's folder
    python file=NAME   is written into that folder, when the blocks before it have run; so is toml file=NAME
    python add=NAME    is written at the end of that file, behind two empty lines
    json, toml, yaml, text, mermaid   are not run here
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_KINDS = re.compile(
    r"sh|sh server|sh norun|text output|python|(?:python|toml) file=[\w.]+|python add=[\w.]+|"
    r"json|toml|yaml|text|mermaid|"
)


@frozen
class Block:
    """One fenced block: the page's line that it begins in, how it is marked, and its code."""

    line: int
    kind: str
    code: str


def blocks_of(page: Path) -> list[Block]:
    """All blocks of a page, in order. Fails for one that is marked as nothing that is known."""
    text = page.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        kind, line = match[1].strip(), text.count("\n", 0, match.start()) + 1
        assert _KINDS.fullmatch(kind), f"{page.name}:{line}: a block cannot be marked {kind!r}"
        found.append(Block(line, kind, match[2]))
    assert text.count("\n```") + text.startswith("```") == 2 * len(found), f"{page.name}: a block does not end"
    return found


def prose_of(page: Path) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))
