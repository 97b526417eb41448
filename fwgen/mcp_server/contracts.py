"""Tools about contracts, and the guide to emitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver import Resolve
from mcp_types import CallToolResult, ListRootsResult
from pydantic import Field

from fwgen.errors import InputError
from fwgen.mcp_server.facts import BoardName
from fwgen.mcp_server.replies import Ctx, Reply, reply, shop_of
from fwgen.mcp_server.roots import folders_of, roots_for_contract
from fwgen.units import show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.contract import Contract

Roots = Annotated[ListRootsResult | None, Resolve(roots_for_contract)]
LONGEST_PROMPT = 4000
ContractText = Annotated[
    str,
    Field(
        description="the contract's TOML, or the path of a .toml in the working folder; "
        "resource fwgen://docs/contracts tells its form"
    ),
]


class Understood(Reply):
    """A sentence as the embedded reader understands it."""

    understood: list[str]
    assumed: list[str] = Field(description="what the sentence leaves open, and how it was filled")
    says: list[str] = Field(description="the contract in plain words")
    span: str
    contract: str = Field(description="its TOML: show it, change it, give it to verify")

    def text(self) -> str:
        """What was understood, and the contract."""
        lines = [f"understood: {line}" for line in self.understood]
        lines += [f"assumed: {line}" for line in self.assumed]
        return "\n".join([*lines, "", self.contract])


def contract_from_prompt(
    ctx: Ctx,
    prompt: Annotated[str, Field(description='what the board should do: "blink LED at 2Hz"')],
    board: BoardName,
) -> Annotated[CallToolResult, Understood]:
    """State as a contract what a sentence asks for, by fwgen's own reader: no model, no guess.

    It knows blinking, patterns, Morse, sequences, serial text, buttons, "while", "after", "then".
    What it does not understand it names; then write the contract yourself (check_contract).
    """
    from fwgen.contract import describe, dump_contract
    from fwgen.pipeline import read

    if len(prompt) > LONGEST_PROMPT:
        raise InputError(f"{len(prompt)} characters are too many for a sentence")
    the = shop_of(ctx).board(board)
    reading = read(prompt, the)
    return reply(
        Understood(
            understood=list(reading.understood),
            assumed=list(reading.assumed),
            says=describe(reading.contract, the),
            span=show_duration(reading.contract.span_ps),
            contract=dump_contract(reading.contract, the),
        )
    )


class ContractSays(Reply):
    """A contract in plain words."""

    title: str
    span: str = Field(description="how long the run lasts, in the board's time")
    says: list[str] = Field(description="each stimulus and expectation")
    accepts: list[str] = Field(description="what it accepts by name, with the reason")

    def text(self) -> str:
        """All of it."""
        lines = [f"{self.title} ({self.span})", *(f"- {line}" for line in self.says)]
        return "\n".join([*lines, *(f"- ACCEPTED: {line}" for line in self.accepts)])


def contract_says(contract: Contract, board: Board) -> ContractSays:
    """A contract in plain words."""
    from fwgen.contract import describe, describe_accepted

    return ContractSays(
        title=contract.title,
        span=show_duration(contract.span_ps),
        says=describe(contract, board),
        accepts=describe_accepted(contract),
    )


def check_contract(
    ctx: Ctx, contract: ContractText, board: BoardName, roots: Roots = None
) -> Annotated[CallToolResult, ContractSays]:
    """Read a contract and say in plain words what it asks; what is wrong is named by its place.

    Show the words to the person before you emit: a PASS is worth what the contract asks for.
    """
    folders = folders_of(roots)
    the = shop_of(ctx).board(board, folders)
    return reply(contract_says(shop_of(ctx).contract(contract, the, folders), the))


class Guide(Reply):
    """All that is needed to emit machine code."""

    guide: str

    def text(self) -> str:
        """The guide."""
        return self.guide


def emission_guide(
    ctx: Ctx,
    board: BoardName,
    contract: ContractText,
    prompt: Annotated[str, Field(description="the sentence that the contract is about")] = "",
    roots: Roots = None,
) -> Annotated[CallToolResult, Guide]:
    """How to emit firmware for a contract: read it once, before verify.

    Format, encodings, rules, the board, two examples, the registers that matter; 3000 tokens.
    """
    from fwgen.model.protocol import Reading
    from fwgen.model.remote.emissions import prompt_of

    folders = folders_of(roots)
    the = shop_of(ctx).board(board, folders)
    asked = shop_of(ctx).contract(contract, the, folders)
    said = prompt[:LONGEST_PROMPT] or asked.prompt or asked.title
    system, task = prompt_of(Reading(said, (), asked, the))
    return reply(Guide(guide=f"{system}\n\n{task}"))
