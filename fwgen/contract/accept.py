"""What a contract accepts by name, with a reason: a hazard, a reset, a gap.

In a Contract a hazard is named by its code ("swd-remapped"), a reset by "reset:IWDGRSTF", a gap
by "gap:CRC" or "gap:RTC.DR".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fwgen.errors import ContractError, InputError
from fwgen.hazards import REGISTER, find_hazard

if TYPE_CHECKING:
    from collections.abc import Sequence

HAZARD, RESET, GAP = "hazard", "reset", "gap"


class Accepted(NamedTuple):
    """One thing accepted: ``what`` it is (a hazard, a reset, a gap), its name, and why."""

    what: str
    name: str
    because: str

    @property
    def key(self) -> str:
        """How ``Contract.accept`` names it."""
        return self.name if self.what == HAZARD else f"{self.what}:{self.name}"


def accepted(pairs: Sequence[tuple[str, str]]) -> list[Accepted]:
    """The entries of ``Contract.accept``."""
    made = []
    for key, because in pairs:
        what, colon, name = key.partition(":")
        made.append(Accepted(what, name, because) if colon else Accepted(HAZARD, key, because))
    return made


def say_accepted(one: Accepted) -> str:
    """One acceptance as a maker would say it."""
    if one.what == RESET:
        said = f"A reset by {one.name}"
    elif one.what == GAP:
        said = f"{one.name}, which is not modelled,"
    else:
        kind = REGISTER.get(one.name)
        said = f"The hazard {one.name}" + (f" ({kind.title})" if kind is not None else "")
    return f"{said} is accepted: {one.because}"


def check_accepted(pairs: Sequence[tuple[str, str]], *, where: str) -> None:
    """Refuse what there is not, what says no reason, and what needs no acceptance.

    Raises ContractError that names the place.
    """
    seen: set[str] = set()
    for number, one in enumerate(accepted(pairs), 1):
        place = f"{where}: accept[{number}]"
        if not one.because.strip():
            raise ContractError("say why this is accepted here", where=f"{place}.because")
        if one.what not in (HAZARD, RESET, GAP) or not one.name:
            raise ContractError(
                f"{one.key!r} is nothing that can be accepted", where=place,
                hint='a hazard by its code, "reset:CAUSE", or "gap:PERIPHERAL"',
            )  # fmt: skip
        if one.key in seen:
            raise ContractError(f"{one.name} is accepted twice", where=place)
        seen.add(one.key)
        if one.what == HAZARD:
            _check_code(one.name, place)


def _check_code(code: str, place: str) -> None:
    try:
        kind = find_hazard(code)
    except InputError as error:
        raise ContractError(error.message, where=f"{place}.hazard", hint=error.hint) from None
    if not kind.fails:
        raise ContractError(
            f"{code} is a note, which fails nothing", where=f"{place}.hazard", hint="leave it out"
        )
