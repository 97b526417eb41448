"""Which exception a fault becomes, what the status registers say of it, and when the core gives up.

Source: Arm ARM DDI0403 B1.5.14, B1.5.15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.image.faults import Scene, likely_cause, reason_of, report
from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.trace import Fault

if TYPE_CHECKING:
    from fwgen.machine.armv7m.debug import Debug
    from fwgen.machine.armv7m.state import CoreState

REGISTER_NAMES = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc")


class Escalation:
    """Notes faults, tells of them, and finds the handler that they go to."""

    def __init__(self, core: CoreState, debug: Debug) -> None:
        self._core = core
        self._engine = core.engine
        self._at = core.at
        self._memory = core.memory
        self._soc = core.soc
        self._exceptions = core.exceptions
        self._debug = debug

    def _scene(self) -> Scene:
        at = self._at
        registers = self._engine.read_many(eng.GENERAL)
        xpsr = self._engine.read(eng.XPSR)
        block = (at.start, at.end)
        return Scene(self._memory, self._core.image, self._core.kind, registers, xpsr, block)

    def note(self, bit: str, address: int | None) -> None:
        """Set the fault status bits that firmware can read."""
        scb = self._core.scb
        if scb is None:
            return
        for register in (scb.cfsr, scb.hfsr):
            if bit in register.spec.fields:
                register.set(**{bit: 1})
        if bit == "PRECISERR" and address is not None:
            scb.cfsr.set(BFARVALID=1)
            scb.bfar.value = address
        if bit == "DACCVIOL" and address is not None:
            scb.cfsr.set(MMARVALID=1)
            scb.mmfar.value = address

    def _tell_fault(
        self, taken: str, bit: str, who: str, address: int | None, culprit: int | None = None
    ) -> None:
        """Record a fault with its report; ``culprit`` is where it comes from, if not the PC."""
        core = self._core
        scene, pc = self._scene(), core.next_pc if culprit is None else culprit
        reason = reason_of(scene, bit, pc, address, who)
        flags, addresses = {}, {}
        if core.scb is not None:
            for name in ("cfsr", "hfsr"):
                register = getattr(core.scb, name)
                set_bits = [field for field in register.spec.fields if getattr(register, field)]
                if set_bits:
                    flags[name.upper()] = set_bits
            if core.scb.cfsr.BFARVALID:
                addresses["BFAR"] = core.scb.bfar.value
            if core.scb.cfsr.MMARVALID:
                addresses["MMFAR"] = core.scb.mmfar.value
        addresses["LR"] = scene.registers[14]
        text = report(
            scene,
            taken=taken,
            reason=reason,
            cause=likely_cause(scene, bit, pc, address),
            t_ps=core.now_ps,
            pc=pc,
            flags=flags,
            addresses=addresses,
        )
        values = dict(zip(REGISTER_NAMES, [*scene.registers[:15], pc], strict=True))
        values["xpsr"] = scene.xpsr
        self._soc.recorder.add(Fault(core.now_ps, taken, reason, pc, text, values))

    def escalate(
        self, number: int, bit: str, address: int | None, culprit: int | None = None
    ) -> int | None:
        """Which exception takes a fault, told and noted; None when the core locks up."""
        state = self._exceptions
        self.note(bit, address)
        priority = state.execution_priority(*self._core.masks())
        who = state.name(number)
        if number != exc.HARD_FAULT and not (
            state.enabled >> number & 1 and state.group(state.priority[number]) < priority
        ):
            number = exc.HARD_FAULT
            self.note("FORCED", None)
        if number == exc.HARD_FAULT and priority <= -1:
            self.lock_up(bit, f"{who} while a fault was being handled", address, culprit)
            return None
        self._tell_fault(state.name(number), bit, who, address, culprit)
        self._debug.fault(number, bit)
        return number

    def lock_up(
        self, bit: str, who: str, address: int | None = None, culprit: int | None = None
    ) -> None:
        """The core gives up until reset (B1.5.15)."""
        self._tell_fault("Lockup", bit, who, address, culprit)
        self._core.locked = True
        self._core.asleep_since = self._at.cycle + self._at.cost

    def stacking_failed(self, number: int, frame: int, derived: int, bit: str) -> int:
        """A frame could not be written: a fault on top; gives the exception to enter.

        The handler is entered all the same, as on silicon: what it pushes faults again.
        """
        state = self._exceptions
        self.note(bit, frame)
        priority = state.priority[derived]
        if number not in (exc.NMI, exc.HARD_FAULT, derived):
            enabled = state.enabled >> derived & 1
            if enabled and state.group(priority) < state.group(state.priority[number]):
                number = derived
            else:
                number = exc.HARD_FAULT
                self.note("FORCED", None)
        self._tell_fault(state.name(number), bit, state.name(derived), frame)
        self._debug.fault(number, bit)
        return number
