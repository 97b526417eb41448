"""Thumb-2 machine code: encode, decode, compare, relocate, and what each core can and costs.

Everything rests on one table of instruction forms (:mod:`fwgen.thumb.table`). The decoder is
capstone: an independent referee, imported when first asked.
"""

from fwgen.thumb.assembler import EncodeError, encode

__all__ = ["EncodeError", "encode"]
