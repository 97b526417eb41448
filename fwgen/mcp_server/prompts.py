"""Prompts: what a person picks in the editor to set an agent going."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

MAKE = """\
Make firmware for the board {board} that does this: {what}

Use the fwgen tools. You emit the machine code yourself; fwgen proves it.
1. contract_from_prompt(prompt, board) states the contract. If it does not understand the sentence,
   write the TOML yourself (resource fwgen://docs/contracts) and check it with check_contract. Tell
   me in plain words what the contract says; go on when I agree.
2. emission_guide(board, contract) tells how to emit. registers, board_facts, encode and decode
   answer what it leaves open: do not guess an encoding or a register.
3. verify(board, contract, emission). While it says FAIL or UNSOUND, read the evidence, and send
   only the units that change, with mends=<the emission's name>. Do not weaken the contract to pass,
   and accept no hazard in it without asking me. UNSURE is no pass: do without what is not modelled.
4. After PASS, save it, and tell me what was proven, with the figures, and what was not.
5. Flash it only if I ask: flash(board, image, contract, check=true). I am asked to confirm.
"""
PROVE = """\
Prove the firmware {image} for the board {board}. It should do this: {what}

Use the fwgen tools. contract_from_prompt states the contract, or write it yourself and check it
with check_contract; tell me what it says, then verify(board, contract, image). If it fails, use
explain and read_trace to find the first departure and the instruction behind it, and tell me in
terms of my code what is wrong.
"""

Board = Annotated[str, Field(description="name of a board")]
What = Annotated[str, Field(description='what it should do: "blink LED at 2Hz"')]


def make_firmware(board: Board, what: What) -> str:
    """Make firmware for a board: contract, emission, proof, and when asked the flash."""
    return MAKE.format(board=board, what=what)


def prove_firmware(
    board: Board, image: Annotated[str, Field(description="path of a .hex, .bin, .elf")], what: What
) -> str:
    """Prove a firmware that there is, a compiler's too."""
    return PROVE.format(board=board, image=image, what=what)


def add_prompts(server: MCPServer) -> None:
    """Offer them."""
    server.prompt(title="Make firmware")(make_firmware)
    server.prompt(title="Prove a firmware")(prove_firmware)
