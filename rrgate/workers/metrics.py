"""`together`: the metrics of all workers in one text, each figure with the worker that it is of.

Belongs here: putting Prometheus's text format together. Does not: what is counted (rrgate/metrics/).

A sum would go down when a worker is replaced; a figure for each begins anew, which is what collectors expect of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def together(texts: Iterable[Sequence[object]]) -> bytes:
    """One text of those in `texts`, each a pair of a worker's slot and its text. Families stay together."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for slot, text in texts:
        family = ""
        for line in str(text).splitlines():
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                known = heads.setdefault(family, [])
                if line not in known:
                    known.append(line)
            elif line:
                samples.setdefault(family, []).append(_labelled(line, str(slot)))
    lines = [line for family, head in heads.items() for line in (*head, *samples.get(family, ()))]
    return "".join(f"{line}\n" for line in lines).encode()


def _labelled(line: str, worker: str) -> str:
    end = min((at for at in (line.find("{"), line.find(" ")) if at >= 0), default=len(line))
    name, rest = line[:end], line[end:]
    rest = rest.removeprefix("{}")
    inner = "," + rest[1:] if rest.startswith("{") else "}" + rest
    return f'{name}{{worker="{worker}"{inner}'
