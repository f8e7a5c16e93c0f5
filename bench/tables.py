"""Tables of figures: shown while a run goes on, and as Markdown at its end, for docs/performance.md.

Belongs here: how figures are written. Does not: what is measured (sections.py), or what is to be reached (goals.py).
"""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import rich.table
from attrs import field, frozen
from rich.console import Console


@frozen
class Table:
    """Rows of text, the first column to the left, the others to the right."""

    title: str
    headings: Sequence[str]
    rows: list[Sequence[str]] = field(factory=list)

    def add(self, *cells: str) -> None:
        """Another row; what it lacks at the end is empty."""
        self.rows.append((*cells, *[""] * (len(self.headings) - len(cells))))

    def show(self, console: Console) -> None:
        """For who waits at a terminal."""
        shown = rich.table.Table(title=self.title)
        for number, heading in enumerate(self.headings):
            shown.add_column(heading, justify="right" if number else "left")
        for row in self.rows:
            shown.add_row(*row)
        console.print(shown)

    def markdown(self) -> str:
        """For a page."""
        lines = [self.headings, ["---"] * len(self.headings), *self.rows]
        return f"{self.title}:\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float], digits: int) -> str:
    """median (min–max)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def machine() -> str:
    """The machine, the interpreter and the date, with the load of others; in one line."""
    told = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", told, re.MULTILINE)
    facts = (
        model[1] if model else platform.machine(),
        f"{os.cpu_count()} processors",
        platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
    )
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {', '.join(facts)}; load {os.getloadavg()[0]:.1f}"
