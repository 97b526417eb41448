"""Contracts: what is done to the board, and what must be seen.

The types are here at once; reading, checking and wording them is loaded when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from fwgen.contract.types import (
    ALWAYS,
    Analog,
    Asleep,
    Blinks,
    Bound,
    Contract,
    Counts,
    Drive,
    Edge,
    Exclusive,
    Expectation,
    Follows,
    Level,
    Never,
    Pattern,
    Phase,
    Press,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Send,
    Sensed,
    Step,
    Stimulus,
    Tone,
    Transfers,
    Trigger,
    Window,
)

if TYPE_CHECKING:
    from fwgen.contract.checks import check_contract
    from fwgen.contract.reading import load_contract, read_contract
    from fwgen.contract.timing import required_span
    from fwgen.contract.words import describe, describe_accepted, say
    from fwgen.contract.writing import dump_contract

__all__ = [
    "ALWAYS",
    "Analog",
    "Asleep",
    "Blinks",
    "Bound",
    "Contract",
    "Counts",
    "Drive",
    "Edge",
    "Exclusive",
    "Expectation",
    "Follows",
    "Level",
    "Never",
    "Pattern",
    "Phase",
    "Press",
    "Pwm",
    "Quiet",
    "Replies",
    "Responds",
    "Says",
    "Send",
    "Sensed",
    "Step",
    "Stimulus",
    "Tone",
    "Transfers",
    "Trigger",
    "Window",
    "check_contract",
    "describe",
    "describe_accepted",
    "dump_contract",
    "load_contract",
    "read_contract",
    "required_span",
    "say",
]

_LAZY = {
    "check_contract": "checks",
    "describe": "words",
    "describe_accepted": "words",
    "dump_contract": "writing",
    "load_contract": "reading",
    "read_contract": "reading",
    "required_span": "timing",
    "say": "words",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
