"""Resources: boards, chips, registers, the contract's form, the emission's, and the examples."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from fwgen.errors import did_you_mean
from fwgen.mcp_server.replies import told_resource

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

TOML, MARKDOWN, PLAIN = "application/toml", "text/markdown", "text/plain"
PAGES = {
    "contracts": "What a contract may ask for, and how it is written.",
    "parts": "Parts that can be wired to a board: their pins, what they sense and show.",
    "trust": "What a PASS is worth, and how that is tested.",
    "limits": "What is not modelled and not understood.",
}
MOST_COMPLETIONS = 100


def shipped(name: str) -> Path:
    """A folder that is shipped inside the package, or lies beside it in a checkout."""
    packaged = Path(__file__).resolve().parents[1] / f"_{name}"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / name


def examples() -> list[str]:
    """The names of the examples."""
    return sorted(path.parent.name for path in shipped("examples").glob("*/prompt.txt"))


def _found(what: str, name: str, known: list[str]) -> str:
    """The name, if it is known. Raises ResourceNotFoundError."""
    if name in known:
        return name
    hint = did_you_mean(name, known) or f"there is {', '.join(known)}"
    raise ResourceNotFoundError(f"there is no {what} {name!r}\nhint: {hint}")


def example(name: str) -> str:
    """A prompt, the contract that it became, and the listing of what was emitted and passed."""
    folder = shipped("examples") / _found("example", name, examples())
    parts = [
        (title, folder.joinpath(file).read_text(encoding="utf-8").strip())
        for title, file in (
            ("PROMPT", "prompt.txt"), ("CONTRACT", "contract.toml"), ("LISTING", "firmware.lst"),
        )
    ]  # fmt: skip
    return "\n\n".join(f"{title}\n{text}" for title, text in parts) + "\n"


def page(name: str) -> str:
    """A page of the documentation."""
    known = _found("page", name, list(PAGES))
    return (shipped("docs") / f"{known}.md").read_text(encoding="utf-8")


def board_file(name: str) -> str:
    """A board's TOML."""
    from fwgen.board import list_boards

    files = {board.name: board.path for board in list_boards()}
    return files[_found("board", name, list(files))].read_text(encoding="utf-8")


def chips() -> list[str]:
    """The names of the chips."""
    from fwgen.board.registers import boards_folder

    return sorted(path.stem for path in (boards_folder() / "chips").glob("*.toml"))


def chip_file(name: str) -> str:
    """A chip's TOML: memories, clocks, peripherals, pins."""
    from fwgen.board.registers import boards_folder

    return (boards_folder() / "chips" / f"{_found('chip', name, chips())}.toml").read_text(
        encoding="utf-8"
    )


@told_resource
def register_page(board: str, peripheral: str) -> str:
    """Registers of a peripheral, a line each."""
    from fwgen.board import load_board
    from fwgen.mcp_server.facts import find_registers

    _found("board", board, _boards())
    return find_registers(load_board(board), peripheral).text() + "\n"


def emission_format() -> str:
    """The wire format of an emission, its JSON schema, and the rules of the house."""
    import json

    from fwgen.model.remote.blocks import schema_with_blocks
    from fwgen.model.remote.system import text_of

    schema = json.dumps(schema_with_blocks(), indent=1)
    return f"{text_of('format')}\n\nRULES\n{text_of('rules')}\n\nSCHEMA\n{schema}\n"


def _boards() -> list[str]:
    from fwgen.board import list_boards

    return [board.name for board in list_boards()]


def _peripherals(board: str) -> list[str]:
    from fwgen.board import load_board

    return list(load_board(board).chip.peripherals) if board in _boards() else []


# ---------------------------------------------------------------------------- all of them


def add_resources(server: MCPServer) -> None:
    """Offer them, those that can be listed by name, the rest by template."""
    for name in _boards():
        server.resource(
            f"fwgen://boards/{name}", name=name, description=f"board file of {name}", mime_type=TOML
        )(partial(board_file, name))
    for name, said in PAGES.items():
        server.resource(
            f"fwgen://docs/{name}", name=name, description=said, mime_type=MARKDOWN
        )(partial(page, name))  # fmt: skip
    server.resource(
        "fwgen://emission-format", name="emission-format", mime_type=PLAIN,
        description="How machine code is written down for verify; emission_guide has more.",
    )(emission_format)  # fmt: skip
    for name in examples():
        prompt = (shipped("examples") / name / "prompt.txt").read_text(encoding="utf-8").strip()
        server.resource(
            f"fwgen://examples/{name}", name=name, description=f"proven: {prompt}", mime_type=PLAIN
        )(partial(example, name))  # fmt: skip
    server.resource("fwgen://chips/{name}", name="chip", mime_type=TOML)(chip_file)
    server.resource(
        "fwgen://registers/{board}/{peripheral}", name="registers", mime_type=PLAIN
    )(register_page)  # fmt: skip
    server.completion()(complete)  # type: ignore[no-untyped-call]


async def complete(
    ref: PromptReference | ResourceTemplateReference,
    argument: CompletionArgument,
    context: CompletionContext | None,
) -> Completion | None:
    """What an argument of a template or a prompt may be."""
    filled = (context.arguments or {}) if context is not None else {}
    known = {
        "board": _boards,
        "peripheral": lambda: _peripherals(filled.get("board", "")),
        "name": chips,
    }.get(argument.name)
    if known is None:
        return None
    begins = argument.value.casefold()
    values = [value for value in known() if value.casefold().startswith(begins)]
    return Completion(values=values[:MOST_COMPLETIONS], total=len(values))
