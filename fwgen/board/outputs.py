"""Outputs of parts that other parts are wired to: SR.QA of a shift register, EXP.P0 of an expander.

    SR = { kind = "74hc595", data = "D2", clock = "D3", latch = "D4" }
    LAMP = { kind = "led", pin = "SR.QA", lit = "high" }

Such a pin carries its part's name. Only outputs that something is wired to are there at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fwgen.board.modules import ModuleKind
    from fwgen.board.types import Device, Module, Part

    Complain = Callable[[str, str, str | None], None]


def outputs_of(kind: ModuleKind, count: int) -> tuple[str, ...]:
    """What a part puts out: of the second of several chips it is QA2 and so on."""
    return tuple(
        f"{name}{number if number > 1 else ''}"
        for number in range(1, count + 1)
        for name in kind.outputs
    )


class PinNames:
    """The pins that parts can be wired to, by any name: the board's, and outputs of parts."""

    def __init__(
        self,
        board: Callable[[str], str],
        five_volts: Callable[[str], bool],
        outputs: Mapping[str, Iterable[str]],
    ) -> None:
        """``outputs`` are those of each part by name."""
        self._board, self._five_volts = board, five_volts
        self._parts = {name.casefold(): name for name in outputs}
        self._outputs = {
            f"{name}.{own}".casefold(): f"{name}.{own}"
            for name, owns in outputs.items() for own in owns
        }  # fmt: skip

    def __call__(self, said: str) -> str:
        """The pin that is meant, or ""."""
        return self._outputs.get(said.casefold()) or self._board(said)

    def stands_5v(self, pin: str) -> bool:
        """Whether a pin stands 5 V. Outputs are taken to: their parts have the supply they need."""
        return pin in self._outputs.values() or self._five_volts(pin)

    def missing(self, said: str) -> tuple[str, str | None]:
        """What to say of a name that is none, and a hint."""
        stem, dot, own = said.partition(".")
        part = self._parts.get(stem.casefold()) if dot else None
        if part is None:
            return f"the board has no pin {said!r}", did_you_mean(said, self._outputs.values())
        known = [name.partition(".")[2] for name in self._outputs.values()
                 if name.startswith(f"{part}.")]  # fmt: skip
        if not known:
            return f"{part} has no outputs", "wire it to a pin of the board"
        return f"{part} has no output {own!r}", f"it has {', '.join(known)}"


def no_pin(find_pin: Callable[[str], str], said: str) -> tuple[str, str | None]:
    """What to say of a name that ``find_pin`` does not find, and a hint."""
    if isinstance(find_pin, PinNames):
        return find_pin.missing(said)
    return f"the board has no pin {said!r}", None


def check_outputs(
    modules: Iterable[Module],
    parts: Iterable[Part],
    devices: Iterable[Device],
    kind_of: Callable[[str], ModuleKind],
    complain: Complain,
) -> None:
    """No output is driven by another part, and no part hangs on itself.

    ``complain`` takes the name of a part, what is wrong, and a hint.
    """
    known = {module.name: module for module in modules}
    owners = {
        f"{module.name}.{own}": kind_of(module.kind)
        for module in known.values() for own in module.outputs
    }  # fmt: skip
    for module in known.values():
        kind = kind_of(module.kind)
        drives = {*kind.drives, "sda", "miso"} if module.bus else {*kind.drives}
        for role, pin in module.pins.items():
            owner = owners.get(pin)
            if role in drives and owner is not None and not owner.open_outputs:
                complain(module.name, f"its {role} drives {pin}, which {_stem(pin)} drives, too",
                         "wire it to a pin of the board")  # fmt: skip
    for part in parts:
        if (owner := owners.get(part.pin)) is not None:
            _check_part(part, owner, complain)
    for device in devices:
        driven = [
            pin for pin in device.pins.values()
            if (owner := owners.get(pin)) is not None and not owner.open_outputs
        ]  # fmt: skip
        if device.kind == "wire" and len(driven) > 1:
            complain(device.name, f"it joins two outputs, {driven[0]} and {driven[1]}",
                     "let one of them drive")  # fmt: skip
    _check_loops(known, complain)


def _check_part(part: Part, owner: ModuleKind, complain: Complain) -> None:
    on_board = "wire it to a pin of the board"
    if part.sensor is not None:
        complain(part.name, f"it gives {part.pin} a voltage, which is an output", on_board)
    elif part.kind in ("button", "switch") and not owner.open_outputs:
        complain(part.name, f"it drives {part.pin}, which {_stem(part.pin)} drives, too", on_board)
    elif part.kind in ("led", "buzzer", "speaker") and owner.open_outputs and part.active:
        complain(
            part.name, f"{part.pin} gives next to no current while it is high (0.1 mA)",
            "wire it to the supply: it is on when the pin is low",
        )  # fmt: skip


def _check_loops(modules: Mapping[str, Module], complain: Complain) -> None:
    """A part whose input hangs, by whichever way, on its own output is refused."""
    onto = {
        name: {_stem(pin) for pin in module.pins.values() if "." in pin}
        for name, module in modules.items()
    }
    for name in modules:
        way, seen = [*onto[name]], set[str]()
        while way:
            at = way.pop()
            if at == name:
                complain(name, "it is wired to itself in a loop", "break the loop at one part")
                return
            if at not in seen:
                seen.add(at)
                way += onto.get(at, ())


def in_order(modules: Mapping[str, Module]) -> list[Module]:
    """Modules so that whoever puts something out comes before those that are wired to it."""
    made: dict[str, Module] = {}

    def put(module: Module) -> None:
        for pin in module.pins.values():
            owner = modules.get(_stem(pin))
            if owner is not None and owner.name not in made and owner is not module:
                put(owner)
        made.setdefault(module.name, module)

    for module in modules.values():
        put(module)
    return list(made.values())


def _stem(pin: str) -> str:
    """The part whose output a pin is."""
    return pin.partition(".")[0] if "." in pin else ""
