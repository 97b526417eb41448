"""Thumb-2 machine code: encode, decode, compare, relocate, and what each core can and costs.

Everything rests on one table of instruction forms (:mod:`fwgen.thumb.table`). The decoder is
capstone: an independent referee, imported when first asked.
"""

from fwgen.thumb import cycles, isa, relocate
from fwgen.thumb.assembler import EncodeError, encode
from fwgen.thumb.belief import Disagreement, disagreement, disagreements
from fwgen.thumb.disassembler import Decoded, Memory, decode, decode_all
from fwgen.thumb.forms import manual
from fwgen.thumb.relocate import RelocationError

__all__ = [
    "Decoded",
    "Disagreement",
    "EncodeError",
    "Memory",
    "RelocationError",
    "cycles",
    "decode",
    "decode_all",
    "disagreement",
    "disagreements",
    "encode",
    "isa",
    "manual",
    "relocate",
]
