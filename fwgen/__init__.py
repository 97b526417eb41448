"""Say what the board should do, get the binary.

    result = fwgen.generate("blink LED at 2Hz", "nucleo-f401")
    proof = fwgen.verify("firmware.hex", "nucleo-f401", "contract.toml")

Everything named here is stable; docs/api.md describes it. Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.board import list_boards, load_board
    from fwgen.board.types import Board
    from fwgen.contract import Contract, describe, dump_contract, load_contract
    from fwgen.errors import (
        BenchError,
        BoardError,
        ContractError,
        EmissionError,
        FwgenError,
        ImageError,
        InputError,
        ModelError,
        OutputError,
        PromptError,
        UnitError,
    )
    from fwgen.image.load import load_image
    from fwgen.image.types import Image
    from fwgen.image.write import write_bin, write_elf, write_hex, write_listing
    from fwgen.model.protocol import Reading
    from fwgen.pipeline import Proof, Result, generate, prove, read, verify
    from fwgen.report.folder import save_result
    from fwgen.trace import Trace, dump_trace, dump_vcd
    from fwgen.verdict import Finding, Outcome, Verdict

__version__ = "0.1.0"

__all__ = [
    "BenchError",
    "Board",
    "BoardError",
    "Contract",
    "ContractError",
    "EmissionError",
    "Finding",
    "FwgenError",
    "Image",
    "ImageError",
    "InputError",
    "ModelError",
    "Outcome",
    "OutputError",
    "PromptError",
    "Proof",
    "Reading",
    "Result",
    "Trace",
    "UnitError",
    "Verdict",
    "describe",
    "dump_contract",
    "dump_trace",
    "dump_vcd",
    "generate",
    "list_boards",
    "load_board",
    "load_contract",
    "load_image",
    "prove",
    "read",
    "save_result",
    "verify",
    "write_bin",
    "write_elf",
    "write_hex",
    "write_listing",
]

_HOMES = {
    "fwgen.board": ("list_boards", "load_board"),
    "fwgen.board.types": ("Board",),
    "fwgen.contract": ("Contract", "describe", "dump_contract", "load_contract"),
    "fwgen.errors": tuple(name for name in __all__ if name.endswith("Error")),
    "fwgen.image.load": ("load_image",),
    "fwgen.image.types": ("Image",),
    "fwgen.image.write": ("write_bin", "write_elf", "write_hex", "write_listing"),
    "fwgen.model.protocol": ("Reading",),
    "fwgen.pipeline": ("Proof", "Result", "generate", "prove", "read", "verify"),
    "fwgen.report.folder": ("save_result",),
    "fwgen.trace": ("Trace", "dump_trace", "dump_vcd"),
    "fwgen.verdict": ("Finding", "Outcome", "Verdict"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name in _HOME:
        found = globals()[name] = getattr(import_module(_HOME[name]), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
