"""Which chip is at the other end, and whether it is the one that the board has."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, TypeVar

from fwgen.errors import ProtectedChipError, RigError, WrongChipError
from fwgen.image.facts import Facts
from fwgen.rig.algorithms import Protection, protection_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.board.types import Board, Chip
    from fwgen.rig.connection import Connection

T = TypeVar("T")

CPUID = 0xE000_ED00  # Arm ARM DDI0403 B3.2.3
_CORES = {0xC20: "Cortex-M0", 0xC60: "Cortex-M0+", 0xC23: "Cortex-M3", 0xC24: "Cortex-M4",
          0xC27: "Cortex-M7", 0xD21: "Cortex-M33"}  # fmt: skip
RDP_CURE = (
    "only lifting the protection helps, and that erases the whole chip: "
    '"STM32_Programmer_CLI -c port=SWD -rdu" does it; its firmware runs on after the board was '
    "without power once"
)
WRP_CURE = "lift the write protection in the option bytes, with ST's STM32CubeProgrammer"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a chip says of itself; None for what a stranger was not asked.

    ``dev_id`` and ``rev_id`` are the halves of IDCODE, ``flash_bytes`` the size that the factory
    wrote down, ``unique_id`` the 96 bits that no other chip has, in hex.
    """

    core: str
    idcode: int | None
    flash_bytes: int | None = None
    unique_id: str | None = None
    protection: Protection = field(default_factory=Protection)

    @property
    def dev_id(self) -> int | None:
        """Which device."""
        return None if self.idcode is None else self.idcode & 0xFFF

    @property
    def rev_id(self) -> int | None:
        """Which revision of it."""
        return None if self.idcode is None else self.idcode >> 16

    @property
    def name(self) -> str:
        """The device as its maker calls it, as far as IDCODE tells."""
        known = None if self.dev_id is None else devices().get(self.dev_id)
        if known:
            return known
        if self.dev_id:
            return f"a {self.core} chip with device id {self.dev_id:#05x}"
        return f"a {self.core} chip that does not say which"


@lru_cache(maxsize=1)
def devices() -> dict[int, str]:
    """Device ids and what has them, from ``devices.toml``."""
    text = (files(__package__) / "devices.toml").read_text(encoding="utf-8")
    return {int(key, 16): str(name) for key, name in tomllib.loads(text)["devices"].items()}


def identify(connection: Connection, chip: Chip) -> Identity:
    """Ask the chip who it is; only reads. A chip that is not ``chip`` is not asked for more.

    Everything is read twice: what is decided by it must not hang on a bad cable. Raises RigError
    when the chip does not answer, or not twice the same.
    """
    facts = Facts(chip)
    part = _certain(connection.read_word, CPUID) >> 4 & 0xFFF
    core = _CORES.get(part, f"core {part:#05x}")
    at = facts.get("DBGMCU_IDCODE")
    idcode = None if at is None else _certain(connection.try_word, at)
    if idcode is None or chip.idcode is None or (idcode ^ chip.idcode) & 0xFFF:
        return Identity(core, idcode)
    size, uid = facts.get("UID_F_SIZE"), [facts.get(f"UID_UID{n}") for n in range(3)]
    words = [_certain(connection.read_word, at) for at in uid if at is not None]
    return Identity(
        core=core,
        idcode=idcode,
        flash_bytes=None if size is None else _certain(connection.read_half, size) * 1024,
        unique_id="".join(f"{word:08x}" for word in words) or None,
        protection=protection_of(chip, lambda at: _certain(connection.read_word, at)),
    )


def _certain(read: Callable[[int], T], address: int) -> T:
    value = read(address)
    if read(address) != value:
        raise RigError(
            f"two reads of {address:#010x} differ: the chip cannot be told for certain",
            hint="the cable is bad or too long",
        )
    return value


def refuse_wrong_chip(board: Board, identity: Identity) -> None:
    """Raises WrongChipError when the chip is not the board's."""
    chip = board.chip
    if chip.idcode is None:
        raise RigError(
            f"the description of {chip.title} has no idcode: the wrong chip could not be told",
            where=f"boards/chips/{chip.name}.toml",
            hint="add idcode, the value of DBGMCU_IDCODE",
        )
    if identity.dev_id != chip.idcode & 0xFFF:
        raise WrongChipError(
            f"there is {identity.name}, not the {chip.title} of {board.title}",
            hint="is it the board that you mean? nothing was written to it",
        )
    if identity.flash_bytes is not None and identity.flash_bytes != chip.flash.size:
        raise WrongChipError(
            f"the chip has {identity.flash_bytes // 1024} KB of flash, "
            f"not the {chip.flash.size // 1024} KB of {chip.title}",
            hint="another variant of it? name the board that has it",
        )


def refuse_protected(identity: Identity, sectors: Sequence[int] = ()) -> None:
    """Raises ProtectedChipError when the chip cannot be read, or one of ``sectors`` written."""
    level = identity.protection.level
    if level:
        raise ProtectedChipError(
            f"the chip is protected against being read (level {level}): "
            "it can be neither flashed nor backed up",
            hint=RDP_CURE if level == 1 else "level 2 is for ever: this chip stays as it is",
        )
    kept = sorted(set(sectors) & set(identity.protection.sectors))
    if kept:
        which = f"sector {kept[0]} is" if len(kept) == 1 else f"sectors {kept} are"
        raise ProtectedChipError(
            f"{which} write-protected: nothing was erased, nothing was written", hint=WRP_CURE
        )
