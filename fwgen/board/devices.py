"""What joins pins and has no behaviour: wires and pull-ups. From [parts] of a TOML.

W1 = { kind = "wire", pins = ["PA5", "PB13"] }
R1 = { kind = "resistor", pin = "PB10", pull = "up" }
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.board.outputs import no_pin
from fwgen.board.types import Device

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.table import Table

WIRE, RESISTOR = "wire", "resistor"
DEVICES = (WIRE, RESISTOR)
PULLS = {"up": 1, "down": 0}


def take_devices(table: Table, find_pin: Callable[[str], str]) -> dict[str, Device]:
    """The wires and resistors of a table [parts], taken from it.

    ``find_pin`` gives the pin of any name that the board has for it, or "".
    """
    devices: dict[str, Device] = {}
    for name in table.names():
        data = table.peek(name)
        if isinstance(data, dict) and data.get("kind") in DEVICES:
            devices[name] = _device(name, table.table(name), find_pin)
    return devices


def _device(name: str, t: Table, find_pin: Callable[[str], str]) -> Device:
    kind = t.one_of("kind", DEVICES)

    def pin(key: str, said: str) -> str:
        found = find_pin(said) if said else ""
        if said and not found:
            t.complain(key, *no_pin(find_pin, said))
        return found

    title = t.text("title", "")
    if kind == WIRE:
        ends = [pin("pins", said) for said in t.texts("pins")]
        if len(set(ends)) < 2:
            t.complain("pins", "a wire joins two pins or more")
        made = Device(name, kind, {str(n): end for n, end in enumerate(ends)}, title=title)
    else:
        pull = PULLS.get(t.one_of("pull", PULLS))
        made = Device(name, kind, {"pin": pin("pin", t.text("pin"))}, pull, title)
    t.close()
    return made
