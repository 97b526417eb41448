"""``fwgen run``: a firmware, live in the terminal."""

from __future__ import annotations

from fwgen.cli.options import BoardOption, ImageArgument, the_board


def run(image: ImageArgument, *, board: BoardOption = "") -> int:
    """Run a firmware live: serial on stdin and stdout, LEDs and buttons on a status line."""
    the_board(board)
    return 0
