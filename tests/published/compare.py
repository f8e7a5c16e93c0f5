"""`python -m tests.published.compare FOLDER`: whether each sample stands, as it is, in the published page it is from.

Belongs here: that. By hand, because the pages lie in FOLDER and not here. Exits with 1 if one does not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.published.samples import samples


def main(folder: Path) -> int:
    """How many do not, at most 1."""
    known = samples()
    other = [
        sample.name
        for sample in known.values()
        if sample.code.rstrip("\n") not in (folder / sample.page).read_text("utf-8")
    ]
    print("\n".join([*(f"{name} is not in its page" for name in other), f"{len(known)} samples compared"]))
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
