"""``fwgen explain``: read a firmware without its source."""

from __future__ import annotations

from fwgen.cli.options import BoardOption, ImageArgument, JsonOption, the_board
from fwgen.cli.output import put_json, screen


def explain(image: ImageArgument, *, board: BoardOption = "", as_json: JsonOption = False) -> int:
    """Show a firmware as an annotated listing: instructions, registers and fields touched."""
    from fwgen.image.disassemble import disassemble
    from fwgen.image.load import load_image

    the = the_board(board)
    loaded = load_image(image, the)
    listing = loaded.listing if loaded.listing.lines else disassemble(loaded, the)
    if as_json:
        from fwgen.report.data import listing_data

        put_json(listing_data(loaded, the, listing))
        return 0
    from fwgen.report import console as show

    console = screen()
    console.print()
    show.show_image_head(console, loaded, the)
    console.print()
    show.show_listing(console, listing)
    console.print()
    return 0
