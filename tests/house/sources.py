"""The sources of rrgate/ and plugins/ as the house tests read them: paths, syntax trees, imports.

Belongs here: reading. Does not: any rule (test_imports.py, test_files.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]


@frozen
class Import:
    """One imported name: `module` as far as it is a module, `line`, and whether it is done when the file is loaded."""

    module: str
    line: int
    at_load: bool


@frozen(eq=False)
class Source:
    """One file, which is read when it is first asked for more than its name. `name`: as it is imported."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def lines(self) -> int:
        """How many."""
        return len(self.text.splitlines())

    @property
    def where(self) -> str:
        """Its path from the root of the repository."""
        return str(self.path.relative_to(ROOT))


def sources_in(folder: str, package: str) -> list[Source]:
    """Every Python file in `folder`, which is imported as `package`."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT / folder).with_suffix("").parts
        name = ".".join((package, *parts)).removesuffix(".__init__")
        found.append(Source(name, path))
    return found


CORE = sources_in("rrgate", "rrgate")
PLUGINS = sources_in("plugins", "rrgate_plugins")
EVERY = (*CORE, *PLUGINS)
_MODULES = frozenset(source.name for source in EVERY)


def imports(source: Source) -> list[Import]:
    """What `source` imports anywhere, also what only type checkers see."""
    return list(_imports(source.tree, at_load=True))


def _imports(node: ast.AST, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, at_load)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"relative import in line {child.lineno}"
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                known = whole in _MODULES or whole == "twisted.internet.reactor"
                yield Import(whole if known else str(child.module), child.lineno, at_load)
        else:
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
                isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"
            )
            yield from _imports(child, at_load and not later)


def within(module: str, package: str) -> bool:
    """Whether `module` is `package` or lies in it."""
    return module == package or module.startswith(package + ".")


def strings(source: Source) -> Iterator[tuple[int, str]]:
    """(line, text) of every string in `source` that is no docstring."""
    prose = {
        id(statement.value)
        for statement in ast.walk(source.tree)
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value
