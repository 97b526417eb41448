"""``fwgen explain``: read a firmware without its source."""

from __future__ import annotations

from fwgen.cli.options import BoardOption, ImageArgument, the_board


def explain(image: ImageArgument, *, board: BoardOption = "") -> int:
    """Show a firmware as an annotated listing: instructions, registers and fields touched."""
    from rich.console import Console
    from rich.text import Text

    from fwgen.image.disassemble import disassemble
    from fwgen.image.load import load_image
    from fwgen.report import console as show

    the = the_board(board)
    loaded = load_image(image, the)
    listing = loaded.listing or disassemble(loaded, the)
    console = Console(highlight=False)
    console.print()
    show.show_image_head(console, loaded, the)
    console.print()
    for line in listing.lines:
        # Text, not markup: a listing has brackets of its own.
        console.print(Text(f" {line.text}", style="" if line.address is not None else "cyan"),
                      soft_wrap=True)  # fmt: skip
    console.print()
    return 0
