"""``python -m fwgen.hazards [FILE]`` writes the hazards' page, by default docs/hazards.md."""

from __future__ import annotations

import sys
from pathlib import Path

from fwgen.hazards.page import page


def main() -> None:
    """Write the page."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/hazards.md")
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
