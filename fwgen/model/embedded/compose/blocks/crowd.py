"""More alarms than channels: a crowd of jobs that share one, each with its due time in a cell.

The channel is always set to the earliest of them; one that is too near to be caught by the
comparison is brought on by the channel's own software event (EGR), so none is ever missed. Who
does not wait for anything has its bit in the word ``armed`` cleared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.model.embedded.compose.blocks.base import Block
    from fwgen.model.embedded.compose.runtime import Alarm, Runtime


@dataclass(slots=True)
class Crowd:
    """Blocks with soft alarms, and the one channel that wakes the core for them."""

    alarm: Alarm
    members: list[Block]

    def service(self, rt: Runtime) -> None:
        """Code of the loop."""
        code, alarm = rt.code, self.alarm
        skip = code.unique("nobody")
        rt.unless_due(alarm, skip)
        for member in self.members:
            member.service(rt)
        code.load("r0", rt.reg(alarm.timer, "CNT"), "now")
        with code.live("r0", "r1", "r2"):
            code.op("movs r1, #0")
            code.op("mvns r1, r1")
            code.op("lsrs r1, r1, #1", "the longest there is")
            for member in self.members:
                assert member.alarm is not None
                assert member.alarm.soft is not None
                later = code.unique("later")
                if not member.alarm.kept:
                    assert member.alarm.armed is not None
                    armed = rt.hold(member.alarm.armed, "r2")
                    code.op(f"lsls r2, {armed}, #{31 - member.alarm.number}")
                    code.branch("bpl", later, f"{member.label} is not armed")
                due = rt.hold(member.alarm.soft, "r2")
                code.op(f"subs r2, {due}, r0", f"until {member.label}")
                code.op("cmp r2, r1")
                code.branch("bge", later)
                code.op("movs r1, r2", "the earliest so far")
                code.label(later)
            code.op("adds r0, r0, r1")
            code.save("r0", rt.ccr(alarm), comment="the crowd's next moment")
        near = 64 + 16 * len(self.members)  # cycles from reading the counter to setting the channel
        with code.live("r1"):
            limit = code.have(near, avoid="r1")
            code.op(f"cmp r1, {limit}", "too near to be sure of?")
        code.branch("bgt", skip)
        code.store(alarm.bit, rt.reg(alarm.timer, "EGR"), comment="then look again at once")
        code.label(skip)
