"""What one timer of a chip has, out of all that the register map names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from fwgen.board.registers import load_register_map
from fwgen.errors import BoardError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.board.registers import Field, RegisterSpec
    from fwgen.board.types import PeripheralSpec

_CHANNEL = re.compile(r"(?:CC|OC|OIS|CCR)([1-4])")
_CLEAR = re.compile(r"OC[1-4]CE")
_ADVANCED = re.compile(r"CC[1-4]NE|CCPC|CCUS|OIS|COM|BI[EF]$|BG$")
_REMAPS = ("TI1_RMP", "TI4_RMP", "ITR1_RMP")
_ADVANCED_ONLY = ("RCR", "BDTR")
_SLAVE = ("TIE", "TIF", "TG", "TDE")
_ETR = ("ETF", "ETPS", "ECE", "ETP")  # and OCxCE
_WIDE = ("CNT", "ARR", "CCR1", "CCR2", "CCR3", "CCR4")


@dataclass(frozen=True, slots=True)
class Instance:
    """The features of one timer, from the ``options`` of its chip file.

    ``width`` of the counter in bits; ``channels``; ``advanced``: break, repetition, complementary
    outputs; ``updown``: counts down and centre-aligned; ``slave``: takes triggers; ``master``:
    gives TRGO; ``itr``: the timer behind each internal trigger; ``remap``: by field of OR what
    each of its values connects, "" being the pin (or, of ITR1_RMP, what ``itr`` says).
    """

    width: int
    channels: int
    advanced: bool
    updown: bool
    slave: bool
    master: bool
    itr: tuple[str, ...]
    remap: Mapping[str, tuple[str, ...]] = field(hash=False)  # a dict; alike timers are few

    @classmethod
    def of(cls, spec: PeripheralSpec) -> Instance:
        """Read the options of a chip file. Raises BoardError that names the option."""
        options = dict(spec.options)
        where = f"peripherals.{spec.name}.options"
        width, channels = options.pop("width", 16), options.pop("channels", 4)
        if width not in (16, 32) or channels not in (0, 1, 2, 4):
            raise BoardError("a timer has 16 or 32 bits and 0, 1, 2 or 4 channels", where=where)
        flags = {
            name: bool(options.pop(name, default))
            for name, default in (
                ("advanced", False),
                ("updown", True),
                ("slave", True),
                ("master", True),
            )
        }
        itr = options.pop("itr", ())
        remap = options.pop("remap", {})
        options.pop("reset", None)
        if options:
            raise BoardError(f"a timer has no option {sorted(options)[0]!r}", where=where)
        if not isinstance(itr, list | tuple):
            raise BoardError("itr is a list of timer names", where=where)
        if not isinstance(remap, dict) or not all(
            field in _REMAPS and isinstance(sources, list | tuple) and len(sources) == 4
            for field, sources in remap.items()
        ):
            raise BoardError(
                "remap gives each field of OR four sources",
                where=where,
                hint=f"its fields are {', '.join(_REMAPS)}",
            )
        assert isinstance(width, int)
        assert isinstance(channels, int)
        return cls(
            width,
            channels,
            itr=tuple(str(name) for name in itr),
            remap={field: tuple(map(str, sources)) for field, sources in remap.items()},
            **flags,
        )

    @cache  # noqa: B019 - of values: as many as chips have kinds of timers
    def registers(self, of_map: str) -> Mapping[str, RegisterSpec]:
        """The registers and fields that this timer has, of those of a register map."""
        kept = {}
        for name, spec in load_register_map(of_map).registers.items():
            if self._lacks(name):
                continue
            fields = {f.name: self._narrow(f) for f in spec.fields.values() if self._has(f.name)}
            reset = spec.reset & ((1 << self.width) - 1)
            kept[name] = replace(spec, fields=fields, reset=reset)
        return kept

    def _lacks(self, register: str) -> bool:
        channel = _CHANNEL.fullmatch(register)
        return (
            (channel is not None and int(channel[1]) > self.channels)
            or (register == "CCMR2" and self.channels <= 2)
            or (register in ("CCMR1", "CCER") and not self.channels)
            or (register in _ADVANCED_ONLY and not self.advanced)
            or (register == "SMCR" and not self.slave)
            or (register in ("CR2", "DCR", "DMAR") and not self.master)
            or (register in ("DCR", "DMAR") and not self.channels)
            or (register == "OR" and not self.remap)
        )

    def _has(self, field: str) -> bool:
        channel = _CHANNEL.match(field)
        return not (
            (channel is not None and int(channel[1]) > self.channels)
            or (not self.advanced and _ADVANCED.match(field))
            or (not self.slave and field in _SLAVE)
            or (not self.updown and field in ("DIR", "CMS", *_ETR))
            or (not self.updown and _CLEAR.fullmatch(field))
            or (field == "OPM" and self.channels == 1)
            or (field in ("CKD", "TI1S", "CCDS") and not self.channels)
            or (field in _REMAPS and field not in self.remap)
            or (not self.master and field.endswith("DE"))  # no DMA either
        )

    def _narrow(self, field: Field) -> Field:
        if field.name in _WIDE and field.width == 32:
            return replace(field, width=self.width)
        return field
