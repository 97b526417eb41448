"""pyocd's targets, and targets of our own for the chips that pyocd lacks.

A target of ours is made from the chip's TOML: its memories, its sectors, and the flash algorithm
for its controller. It is registered in pyocd's table under the name that the board gives, so that
everything in pyocd that takes a target finds it.
"""

from __future__ import annotations

from itertools import groupby
from threading import RLock
from typing import TYPE_CHECKING, Any

from fwgen.image.facts import Facts
from fwgen.rig.algorithms import make_algorithm

if TYPE_CHECKING:
    from fwgen.board.types import Board, Chip
    from fwgen.rig.algorithms import Algorithm

OURS = "fwgen_algorithm"  # attribute of the target classes that were made here
DEVICES = (  # Arm ARM DDI0403 B3.1: what every chip has there
    ("peripherals", 0x4000_0000, 0x2000_0000),
    ("ppb", 0xE000_0000, 0x10_0000),
)
_lock = RLock()
_linked: dict[tuple[str, int], tuple[Chip, Algorithm]] = {}


def register(board: Board) -> str:
    """Make sure that pyocd has the board's chip; gives the target's name there.

    pyocd's own target comes first, then one from a CMSIS pack that the user has, then ours.
    Raises BoardError when there is none and none can be made.
    """
    from pyocd.target import TARGET, normalise_target_type_name
    from pyocd.target.pack.pack_target import ManagedPacks

    name: str = normalise_target_type_name(board.probe.get("target") or board.chip.name)
    with _lock:
        if name not in TARGET:
            ManagedPacks.populate_target(name)
        made = getattr(TARGET.get(name), OURS, None)
        if name not in TARGET or (made is not None and made != _algorithm(board)):
            TARGET[name] = make_target(board.chip, _algorithm(board))
    return name


def algorithm_of(target: object) -> Algorithm | None:
    """The algorithm of a target that was made here; None for pyocd's own."""
    return getattr(target, OURS, None)


def _algorithm(board: Board) -> Algorithm:
    chip, supply_uv = board.chip, board.supply_uv
    of, made = _linked.get((chip.name, supply_uv), (None, None))
    if of is not chip or made is None:  # linking takes longer than connecting
        made = make_algorithm(chip, supply_uv)
        _linked[chip.name, supply_uv] = chip, made
    return made


def make_target(chip: Chip, algorithm: Algorithm) -> type:
    """A pyocd target class for a chip."""
    from pyocd.core.memory_map import MemoryMap
    from pyocd.coresight.coresight_target import CoreSightTarget

    facts = Facts(chip)
    memory = MemoryMap(*_regions(chip, algorithm))
    idcode, device = facts.get("DBGMCU_IDCODE"), _device(chip)
    control = facts.get("DBGMCU_CR")
    awake = 0
    for bit in ("DBG_SLEEP", "DBG_STOP", "DBG_STANDBY"):
        awake |= facts.get(f"DBGMCU_CR_{bit}") or 0
    tracing = facts.get("DBGMCU_CR_TRACE_IOEN") or 0
    mode = facts.get("DBGMCU_CR_TRACE_MODE") or 0

    def init(self: Any, session: Any) -> None:
        CoreSightTarget.__init__(self, session, memory)

    def post_connect_hook(self: Any) -> None:
        # Else the chip cannot be read while it sleeps. Nothing is written to a stranger.
        if idcode is None or control is None or device is None:
            return
        if self.read32(idcode) & 0xFFF == device:
            self.write32(control, self.read32(control) | awake)

    def trace_start(self: Any) -> None:
        # Else the pin of SWO stays the firmware's. TRACE_MODE 0 is the asynchronous one.
        if self.trace_enabled and control is not None and tracing:
            self.write32(control, self.read32(control) & ~mode | tracing)
        CoreSightTarget.trace_start(self)

    return type(
        f"Fwgen{chip.name.capitalize()}",
        (CoreSightTarget,),
        {
            "__init__": init,
            "post_connect_hook": post_connect_hook,
            "trace_start": trace_start,
            "__doc__": f"{chip.title}, from its description in fwgen.",
            "PART_NUMBER": chip.title,
            "PART_FAMILIES": [chip.family],
            OURS: algorithm,
        },
    )


def _device(chip: Chip) -> int | None:
    return None if chip.idcode is None else chip.idcode & 0xFFF


def _regions(chip: Chip, algorithm: Algorithm) -> list[Any]:
    from pyocd.core.memory_map import DeviceRegion, FlashRegion, RamRegion, RomRegion

    # A debugger reads only what the map has: registers, too.
    made: list[Any] = [
        DeviceRegion(name=name, start=start, length=length) for name, start, length in DEVICES
    ]
    for spec in chip.peripherals.values():
        if not any(start <= spec.base < start + length for _, start, length in DEVICES):
            made.append(DeviceRegion(name=spec.name, start=spec.base, length=spec.size))
    for memory in chip.memories.values():
        common = {"name": memory.name, "start": memory.base, "length": memory.size}
        if memory.kind == "ram":
            made.append(RamRegion(**common))
        elif memory.kind in ("rom", "otp", "options"):
            made.append(RomRegion(**common, is_default=False))
        elif memory.kind == "flash":
            start = memory.base
            for size, alike in groupby(memory.sectors or (memory.size,)):
                length = size * len(list(alike))
                made.append(
                    FlashRegion(
                        name=f"{memory.name}_{start:08x}",
                        start=start,
                        length=length,
                        sector_size=size,
                        page_size=min(algorithm.page_size, size),
                        phrase_size=algorithm.unit,
                        is_boot_memory=start == memory.base,
                        algo=_as_pyocd(algorithm),
                    )
                )
                start += length
    return made


def _as_pyocd(algorithm: Algorithm) -> dict[str, object]:
    """The algorithm in the form that pyocd takes: entry points carry the Thumb bit."""
    code = algorithm.code
    entry = {name: address | 1 for name, address in algorithm.entries.items()}
    return {
        "load_address": algorithm.base,
        "instructions": [
            int.from_bytes(code[at : at + 4], "little") for at in range(0, len(code), 4)
        ],
        "pc_init": entry["init"],
        "pc_unInit": entry["uninit"],
        "pc_eraseAll": entry["erase_all"],
        "pc_erase_sector": entry["erase_sector"],
        "pc_program_page": entry["program_page"],
        "static_base": algorithm.buffers[0],
        "begin_stack": algorithm.stack_top,
        "end_stack": algorithm.stack_end,
        "page_buffers": list(algorithm.buffers),
        "min_program_length": algorithm.unit,
        # It packs page numbers into 16 bits and would need room of its own: we read back anyway.
        "analyzer_supported": False,
    }
