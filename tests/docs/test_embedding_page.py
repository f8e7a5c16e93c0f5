"""docs/embedding.md has every name of rrgate.embedding and nothing else, and its programs are those of examples/.

Belongs here: comparing. Does not: running its code (test_code_blocks.py) or the examples (tests/examples/).
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from rrgate import embedding
from tests.docs.pages import ROOT, blocks_of

PAGE = ROOT / "docs" / "embedding.md"
PROGRAMS = sorted(path for path in (ROOT / "examples" / "embedding").iterdir() if path.suffix in (".py", ".tac"))


def test_every_name_is_in_the_table() -> None:
    table = PAGE.read_text().partition("## 14 Names of rrgate.embedding")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == sorted(embedding.__all__)


def test_every_error_is_told_of() -> None:
    prose = PAGE.read_text().partition("## 14 ")[0]
    errors = [name for name in embedding.__all__ if inspect.isclass(getattr(embedding, name))]
    for name in errors:
        if issubclass(getattr(embedding, name), Exception):
            assert f"`{name}`" in prose, name


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_its_programs_are_the_examples(program: Path) -> None:
    (block,) = (block for block in blocks_of(PAGE) if block.kind == f"python file={program.name}")
    assert block.code == program.read_text()
