"""What a constant expression may call things on a chip and board.

GPIOA                 a peripheral's base address
RCC_AHB1ENR           a register's address
RCC_AHB1ENR_GPIOAEN   a field's mask in place; with _Pos its lowest bit number
SYST_CSR, ICSR        the core's registers, as the Arm ARM calls them
TIM2_IRQn             an interrupt's number; TIM2_EXCn its exception number
RAM_BASE, RAM_END, RAM_SIZE, FLASH_BASE ...   memories, by kind and by their own name
CLK, CLOCK            the CPU's clock after reset in hertz (callers override it with
``symbols`` when the firmware changes it)
HSI, LSI, HSE, LSE    oscillators in hertz, those the board has
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from fwgen.board.registers import load_register_map
from fwgen.board.types import Board
from fwgen.errors import BoardError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.registers import RegisterMap, RegisterSpec
    from fwgen.board.types import Chip, PeripheralSpec

SYSTEM_EXCEPTIONS = {
    "Reset": 1,
    "NMI": 2,
    "HardFault": 3,
    "MemManage": 4,
    "BusFault": 5,
    "UsageFault": 6,
    "SVCall": 11,
    "DebugMonitor": 12,
    "PendSV": 14,
    "SysTick": 15,
}
"""Exception numbers of the core. Source: Arm ARM DDI0403 B1.5.2, Table B1-4."""

# SysTick's registers have a name in the Arm ARM (B3.3.2), one in PM0214 and one in CMSIS.
_SPELLINGS = {
    "SYST_CSR": "SYSTICK_CTRL",
    "SYST_RVR": "SYSTICK_LOAD",
    "SYST_CVR": "SYSTICK_VAL",
    "SYST_": "SYSTICK_",
    "STK_": "SYSTICK_",
    "SysTick_": "SYSTICK_",
}


class Facts:
    """The names of one chip (and board), looked up lazily: register maps are read when asked."""

    def __init__(self, target: Board | Chip) -> None:
        board = target if isinstance(target, Board) else None
        self.chip: Chip = board.chip if board else target  # type: ignore[assignment]
        self.title = board.title if board else self.chip.title
        self._plain = self._fixed(board)
        self._known: dict[str, int | None] = {}

    def get(self, name: str) -> int | None:
        """The value of ``name``, or None when the chip has nothing of that name."""
        if name in self._plain:
            return self._plain[name]
        if name not in self._known:
            self._known[name] = self._register(name)
        return self._known[name]

    def is_fixed(self, name: str) -> bool:
        """Whether ``name`` is a fact of its own, rather than a register of a peripheral."""
        return name in self._plain

    def names(self, like: str) -> list[str]:
        """Known names that ``like`` could have meant, for a hint."""
        found = list(self._plain)
        for spec, prefix in self._owners(like):
            mapped = register_map(spec)
            if mapped is None:
                continue
            for register in mapped.registers.values():
                plain = f"{prefix}_{register.name.removeprefix(f'{prefix}_')}"
                found.append(plain)
                if like.startswith(f"{plain}_"):
                    found += [f"{plain}_{field}" for field in register.fields]
        return found

    def vector(self, name: str) -> int | None:
        """The exception number of a vector's name or number as text, or None."""
        if name.isascii() and name.isdigit():
            number = int(name) if len(name) < 5 else -1
            is_known = (
                number in SYSTEM_EXCEPTIONS.values() or 16 <= number < 16 + self.chip.nvic_lines
            )
            return number if is_known else None
        return self._vectors.get(
            name.casefold().removesuffix("_irqhandler").removesuffix("_handler")
        )

    def vector_names(self) -> list[str]:
        """Every vector's name in the manual's spelling."""
        return [*SYSTEM_EXCEPTIONS, *self.chip.interrupts.values()]

    def exception_name(self, number: int) -> str:
        """What the manual calls exception ``number``."""
        for name, known in SYSTEM_EXCEPTIONS.items():
            if number == known:
                return name
        return self.chip.interrupts.get(number - 16, f"exception {number}")

    @cached_property
    def _vectors(self) -> dict[str, int]:
        named = {name.casefold(): number for name, number in SYSTEM_EXCEPTIONS.items()}
        named |= {"svc": 11, "debugmon": 12}  # as CMSIS spells them
        named |= {name.casefold(): 16 + number for number, name in self.chip.interrupts.items()}
        return named

    def _fixed(self, board: Board | None) -> dict[str, int]:
        chip = self.chip
        known = {name: spec.base for name, spec in chip.peripherals.items()}
        for number, name in chip.interrupts.items():
            known[f"{name}_IRQn"] = number
            known[f"{name}_EXCn"] = number + 16
        for name, number in SYSTEM_EXCEPTIONS.items():
            known[f"{name}_EXCn"] = number
        memories = {memory.name.upper(): memory for memory in chip.memories.values()}
        memories |= {"FLASH": chip.flash, "RAM": chip.ram}
        for name, memory in memories.items():
            known[f"{name}_BASE"] = memory.base
            known[f"{name}_END"] = memory.base + memory.size
            known[f"{name}_SIZE"] = memory.size
        known |= dict.fromkeys(("CLK", "CLOCK", "HSI"), chip.clocks.hsi_hz)
        known["LSI"] = chip.clocks.lsi_hz
        for part in board.parts.values() if board else ():
            pin = chip.pins.get(part.pin)
            if pin:
                known[f"{part.name}_PORT"] = known.get(f"GPIO{pin.port}", 0)
                known[f"{part.name}_PIN"] = pin.index
        if board and board.hse_hz:
            known["HSE"] = board.hse_hz
        if board and board.lse_hz:
            known["LSE"] = board.lse_hz
        return known

    def _owners(self, name: str) -> Iterator[tuple[PeripheralSpec, str]]:
        """Peripherals whose name begins ``name``, the longest first ("ADC1_COMMON", "ADC1")."""
        peripherals = self.chip.peripherals
        parts = name.split("_")
        for count in range(len(parts) - 1, 0, -1):
            prefix = "_".join(parts[:count])
            spec = peripherals.get(prefix)
            if spec:
                yield spec, prefix

    def _register(self, name: str) -> int | None:
        for said, meant in _SPELLINGS.items():
            if name.startswith(said):
                name = meant + name.removeprefix(said)
                break
        for spec, prefix in self._owners(name):
            mapped = register_map(spec)
            if mapped:
                rest = name[len(prefix) + 1 :]
                value = _within(spec, mapped, rest)
                return value if value is not None else _within(spec, mapped, name)
        for spec in self.chip.peripherals.values():
            mapped = register_map(spec) if spec.bus == "PPB" else None
            value = _within(spec, mapped, name) if mapped else None
            if value is not None:
                return value
        return None


def register_map(spec: PeripheralSpec) -> RegisterMap | None:
    """The register map of a peripheral, or None when its registers have no names here."""
    if spec.registers is None:
        return None
    try:
        return load_register_map(spec.registers)
    except BoardError:
        return None  # names are a comfort: a missing map must not stop a link


def _within(spec: PeripheralSpec, mapped: RegisterMap, name: str) -> int | None:
    parts = name.split("_")
    for count in range(len(parts), 0, -1):
        register = mapped.registers.get("_".join(parts[:count]))
        if register:
            return _of_register(spec, register, "_".join(parts[count:]))
    return None


def _of_register(spec: PeripheralSpec, register: RegisterSpec, rest: str) -> int | None:
    if not rest:
        return spec.base + register.offset
    field = register.fields.get(rest)
    if field:
        return field.mask
    field = register.fields.get(rest.removesuffix("_Pos"))
    return field.lsb if field and rest.endswith("_Pos") else None
