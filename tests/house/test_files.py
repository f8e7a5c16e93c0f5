"""What every file of rrgate/ and plugins/ has in common: it says what it is for, and it can be read in one sitting.

Belongs here: rules for single files. Does not: who may import whom (test_imports.py).
"""

from __future__ import annotations

import ast

import pytest

from tests.house.sources import EVERY, Source

MOST_LINES = 300


@pytest.mark.parametrize("source", EVERY, ids=lambda source: source.name)
def test_it_says_what_it_is_for(source: Source) -> None:
    said = ast.get_docstring(source.tree)
    assert said, f"{source.where} has no docstring"
    assert len(said.splitlines()[0]) > 20, f"{source.where}: the docstring's first line says too little"


@pytest.mark.parametrize("source", EVERY, ids=lambda source: source.name)
def test_it_is_short(source: Source) -> None:
    assert source.lines <= MOST_LINES, f"{source.where} has {source.lines} lines: split it along its rooms"
