"""``python -m fwgen.hazards [FILE]`` writes the hazards' page, by default docs/hazards.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from fwgen.hazards.page import page


def main() -> None:
    """Write the page."""
    options = argparse.ArgumentParser(prog="python -m fwgen.hazards", description="Write the page.")
    options.add_argument("file", nargs="?", type=Path, default=Path("docs/hazards.md"))
    options.parse_args().file.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
