"""Run the bench: `make bench`, or `python -m bench [SECTION…] [--gateways NAME…]`. Prints one table at the end.

Sections: get, post, one (a single connection), tls (to the target), auth (each auth type); all of them by default.
Gateways are measured in turns in every round; min, median and max are over rounds, ratios over pairs of one round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import auth
from bench.goals import goals, section_table, whole_table
from bench.parts import Missing
from bench.sections import SECTIONS, Run, gateways, shown_of
from bench.tables import Table, machine

AUTH = "auth"
EVERY = (*SECTIONS, AUTH)


def main() -> int:
    """Measure, print, and say what was missing."""
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=described)
    parser.add_argument("section", nargs="*", metavar="SECTION", help=", ".join(EVERY))
    parser.add_argument("--gateways", nargs="+", metavar="NAME", help="those whose names begin so, and nginx")
    parser.add_argument("--rules", action="store_true", help="gateways with 800 rules, of which none matches, instead")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of a round")
    parser.add_argument("--file", type=Path, help="what is printed at the end is written there too")
    given = parser.parse_args()
    if unknown := [name for name in given.section if name not in EVERY]:
        parser.error(f"no section is called {unknown[0]!r}; they are {', '.join(EVERY)}")
    wanted = gateways(given.rules) if given.gateways is None else shown_of(given.gateways)
    names = given.section or (list(SECTIONS) if given.rules or given.gateways else EVERY)
    console = Console(width=140)
    begun = machine()
    with tempfile.TemporaryDirectory(prog := "rrgate-bench") as folder:
        run = Run(Path(folder), given.rounds, given.seconds, wanted)
        tables: list[Table] = []
        try:
            run.measure(
                [name for name in names if name in SECTIONS],
                lambda name: section_table(name, run.results[name]).show(console),
            )
            if run.results:
                tables += [whole_table(run.results, run.missing), goals(run.results)]
            if AUTH in names:
                tables.append(auth.measured(Path(folder), given.rounds, max(2, given.seconds // 2)))
        except Missing as missing:
            print(f"{prog}: {missing}", file=sys.stderr)
            return 1
    told = f"{begun}, and {machine().rpartition('; ')[2]} at the end; {given.rounds} rounds of {given.seconds} s\n\n"
    told += "\n\n".join(table.markdown() for table in tables if table.rows)
    print(told)
    if given.file is not None:
        given.file.write_text(told + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
