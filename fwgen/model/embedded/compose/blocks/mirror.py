"""A line that takes the level of an input, at every edge of that input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.model.embedded.compose.blocks.base import Bid, Block
from fwgen.model.embedded.compose.jobs import Mirror

if TYPE_CHECKING:
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.runtime import Alarm, Runtime
    from fwgen.model.embedded.compose.silicon import Silicon


class Copy(Block):
    """Copies at reset and at every edge: not debounced, since the level is right either way."""

    name = "copied at every edge"
    job: Mirror

    @classmethod
    def bid(cls, job: Job, silicon: Silicon) -> Bid | None:
        """Any Mirror that runs from reset for ever."""
        if not isinstance(job, Mirror):
            return None
        if not job.when.at_reset or job.until_ps is not None:
            raise ModelError(
                "a line that follows an input does so from reset and for ever",
                where=job.clause or None,
                hint="say what it should do on each press and on each release instead",
            )
        return Bid(20, "copied at every edge of the input")

    def durations(self) -> list[int]:
        """Every duration (ps) that the alarm must count."""
        return []

    def make_alarm(self) -> Alarm | None:
        """The alarm that it needs, if any."""
        return None

    def claim(self, rt: Runtime) -> None:
        """Take cells, and say which peripherals are used."""
        rt.edges.watch(rt, self.job.source)
        rt.edges.copies.append(self.copy)
        rt.use(rt.silicon.port(self.job.source.pin), 2)
        rt.use(rt.silicon.port(self.job.line.pin), 2)

    def prepare(self, rt: Runtime) -> None:
        """How its lines begin."""
        rt.levels.setdefault(self.job.line, 0)
        self.outputs(rt)
        if rt.alarms or rt.ports:
            rt.at_boot.append(lambda: self.copy(rt))

    def _whole_port(self, rt: Runtime, port: str, same: bool) -> None:
        """Code: the port has no other output, so its latch is the input's bit (r0), moved."""
        code, silicon = rt.code, rt.silicon
        index, shift = silicon.index(self.job.line.pin), silicon.index(self.job.source.pin)
        with code.live("r0"):
            if shift != index:
                how = "lsrs" if shift > index else "lsls"
                code.op(f"{how} r0, r0, #{abs(shift - index)}", "its bit to where the line's is")
            if not same:
                code.op("mvns r0, r0")
            # The latch behind a pin that is no output is of no account.
            code.save("r0", silicon.address(f"{port}_ODR"), 2, comment=self.job.line.name)

    def copy(self, rt: Runtime) -> None:
        """Code: the line takes the level that the input has."""
        job, code, silicon = self.job, rt.code, rt.silicon
        port, index = silicon.port(job.line.pin), silicon.index(job.line.pin)
        source = silicon.port(job.source.pin)
        done = code.unique("copied")
        # High when: pressed is (input = active), on is pressed unless inverted.
        same = (job.line.active == job.source.active) != job.invert
        code.load("r0", silicon.address(f"{source}_IDR"), job.source.name)
        if [x for x in rt.levels if silicon.port(x.pin) == port] == [job.line]:
            self._whole_port(rt, port, same)
            return
        with code.live("r0"):
            register = "r1"
            code.put(register, 1 << index)
            code.op(f"lsls r0, r0, #{31 - silicon.index(job.source.pin)}", "its level")
            code.branch("bmi" if same else "bpl", done, f"{job.line.name} goes high")
            code.op(f"lsls {register}, {register}, #16", f"{job.line.name} goes low")
        code.label(done)
        with code.live(register):
            code.save(register, silicon.address(f"{port}_BSRR"), comment=f"{job.line.name} follows")
