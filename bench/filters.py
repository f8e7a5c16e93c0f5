"""What filtering costs: answers of some sizes, in this process, without a gateway around.

    python -m bench.filters

Belongs here: CPU time of `filtered`. Does not: whole requests.
"""

from __future__ import annotations

import json
import time

from rrgate_plugins.filters.documents import AT_MOST, NotFilterable, filtered
from rrgate_plugins.filters.pruning import Stage
from rrgate_plugins.filters.queries import Query

STAGES = {
    "destroy two names": Stage([], [Query("$.items[*].secret"), Query("$.owner")]),
    "destroy anywhere": Stage([], [Query("$..secret")]),
    "retain two names": Stage([Query("$.items[*].id"), Query("$.items[*].name")], []),
    "destroy by a test": Stage([], [Query("$.items[?@.price > 10].name")]),
}
HOSTILE = {
    "nested arrays": (b"[" * 900 + b"1" + b"]" * 900, "$..*..*"),
    "wide and looked at again": (b"[" * 200 + b"1," * 400_000 + b"1" + b"]" * 200, "$..*..[?@ == 1]"),
    "squares": (b"[" + b"[1,1,1,1]," * 90_000 + b"1]", "$[?count($[*]) > 5]"),
    "many selectors": (b"[" + b"[[1]]," * 90_000 + b"1]", "$[*,*,*,*][*,*,*,*][*,*,*,*]"),
}


def document(items: int) -> bytes:
    """An answer as many APIs make them."""
    made = [
        {"id": number, "name": f"item {number}", "secret": "s" * 20, "price": number / 7, "tags": ["a", "b"]}
        for number in range(items)
    ]
    return json.dumps({"owner": {"name": "somebody"}, "items": made}).encode()


def main() -> None:
    for items in (10, 100, 500, 5_000, 50_000):
        body = document(items)
        for name, stage in STAGES.items():
            runs = max(1, 20_000 // items // 10)
            started = time.process_time()
            for _ in range(runs):
                filtered(body, b"", [stage], AT_MOST)
            took = (time.process_time() - started) / runs
            size = f"{len(body) / 1024:8.1f} KiB"
            print(f"{size}  {name:20} {took * 1000:9.3f} ms  {took * 1e9 / len(body):6.1f} ns a byte")
    for name, (body, path) in HOSTILE.items():
        started = time.process_time()
        try:
            filtered(body, b"", [Stage([], [Query(path)])], AT_MOST)
            end = "filtered"
        except NotFilterable as error:
            end = str(error)
        print(f"{len(body) / 1024:8.1f} KiB  {name:26} {(time.process_time() - started) * 1000:9.1f} ms  {end}")


if __name__ == "__main__":
    main()
