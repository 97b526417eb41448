"""What a contract must hold to: names that exist, sense in each part, no contradiction."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from fwgen.board.modules import load_module_kind, screen
from fwgen.board.quantities import TEXTS
from fwgen.contract.accept import check_accepted
from fwgen.contract.lines import captures
from fwgen.contract.sensing import VOLTAGE_UNITS
from fwgen.contract.subjects import Subject, fitted, resolve
from fwgen.contract.timing import (
    FEWEST_PERIODS,
    cycle_of,
    end_of,
    length_of,
    required_span,
    slack_of,
    window_of,
)
from fwgen.contract.types import (
    Analog,
    Asleep,
    Blinks,
    Counts,
    Drive,
    Exclusive,
    Follows,
    Level,
    Never,
    Pattern,
    Press,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Send,
    Sense,
    Shows,
    Tone,
    Transfers,
    Turn,
)
from fwgen.contract.words import rate_words
from fwgen.errors import ContractError, did_you_mean
from fwgen.units import PPM, period_ps, show_duration, show_ratio, show_voltage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import Board
    from fwgen.contract.types import Bound, Contract, Expectation, Stimulus, Trigger

LEAST_UV = 300_000
"""A pin stands so much below ground (DS10086, absolute maximum ratings)."""

_TRACKS = ("uptime_ms", "uptime_s")


def check_contract(contract: Contract, board: Board, *, where: str = "contract") -> None:
    """Refuse a contract that names what the board lacks, or that no firmware can meet.

    Raises ContractError whose ``where`` is the file and the table ("contract: expect[2]").
    """
    _Checker(contract, fitted(board, contract), where).check()


@dataclass(frozen=True, slots=True)
class _Claim:
    """What an expectation says of one pin: a period, or that it keeps still."""

    place: str
    expectation: Expectation
    subject: Subject
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Checker:
    contract: Contract
    board: Board
    where: str

    def check(self) -> None:
        if not self.contract.expectations:
            raise ContractError(
                "nothing is expected", where=self.where, hint="add at least one [[expect]]"
            )
        check_accepted(self.contract.accept, where=self.where)
        if self.contract.span_ps <= 0:
            raise ContractError("a run lasts more than nothing", where=f"{self.where}: span")
        for i, stimulus in enumerate(self.contract.stimuli, 1):
            self._stimulus(stimulus, f"{self.where}: do[{i}]")
        placed = [
            (f"{self.where}: expect[{i}]", e) for i, e in enumerate(self.contract.expectations, 1)
        ]
        for place, e in placed:
            self._names(e, place)
            self._sense(e, place)
            self._time(e, place)
        self._against_stimuli(placed)
        claims = list(self._claims(placed))
        for one, two in combinations(claims, 2):
            if one.subject.key == two.subject.key and one.expectation is not two.expectation:
                _agree(one, two)
        self._ports(placed)
        self._quiet(placed, claims)

    # ------------------------------------------------------------------------ names

    def subject(self, name: str, place: str) -> Subject:
        try:
            return resolve(name, self.board)
        except ContractError as error:
            raise ContractError(error.message, where=place, hint=error.hint) from None

    def pin(self, name: str, place: str) -> Subject:
        found = self.subject(name, place)
        if not found.pin:
            what = "a port" if found.port else "a module with several pins"
            raise ContractError(f"{name!r} is {what}, not a pin or a part", where=place)
        return found

    def port(self, name: str, place: str) -> Subject:
        found = self.subject(name, place)
        if not found.port:
            raise ContractError(
                f"{name!r} is no serial port", where=place, hint='such as "console"'
            )
        return found

    def _stimulus(self, s: Stimulus, place: str) -> None:
        match s:
            case Press() if (keyed := self.subject(s.subject, place)).module is not None:
                if keyed.item not in load_module_kind(keyed.module.kind).keys:
                    raise ContractError(
                        f"{s.subject!r} is no key", where=place,
                        hint=f"such as {keyed.module.name}.5" if "5" in
                        load_module_kind(keyed.module.kind).keys else "name a button",
                    )  # fmt: skip
                if s.hold_ps is not None and s.hold_ps <= s.bounce_ps:
                    raise ContractError("it bounces for as long as it is pressed", where=place)
            case Sense():
                self._sense_of(s, place)
            case Turn():
                self._turn(s, place)
            case Press():
                found = self.pin(s.subject, place)
                if found.part is not None and found.part.kind != "button":
                    buttons = [p.name for p in self.board.parts.values() if p.kind == "button"]
                    known = " or ".join(buttons)
                    raise ContractError(
                        f"{s.subject!r} is no button", where=place,
                        hint=f"{self.board.name} has {known}" if known else "drive the pin instead",
                    )  # fmt: skip
                if s.hold_ps is not None and s.hold_ps <= s.bounce_ps:
                    raise ContractError("it bounces for as long as it is pressed", where=place)
            case Drive():
                self.pin(s.subject, place)
            case Analog():
                self._analog(s, place)
            case Send():
                self.port(s.subject, place)
                if not s.data:
                    raise ContractError("sends nothing", where=place)
        if s.at_ps < 0:
            raise ContractError("comes before reset", where=place)
        if end_of(s) >= self.contract.span_ps:
            raise ContractError(
                f"is over only at {show_duration(end_of(s))}, after the run, which lasts "
                f"{show_duration(self.contract.span_ps)}",
                where=place,
                hint="make the span longer",
            )

    def _sense_of(self, s: Sense, place: str) -> None:
        found = self.subject(s.subject, place)
        senses = load_module_kind(found.module.kind).senses if found.module is not None else {}
        if found.item not in senses:
            raise ContractError(f"{s.subject!r} senses nothing", where=place)
        others = (
            other
            for other in self.contract.stimuli
            if isinstance(other, Sense) and s.at_ps < other.at_ps < end_of(s)
        )
        for other in others:
            if self.subject(other.subject, place).key == found.key:
                raise ContractError(
                    f"another value comes at {show_duration(other.at_ps)}, before it is over",
                    where=place,
                )

    def _turn(self, s: Turn, place: str) -> None:
        found = self.subject(s.subject, place)
        if found.module is None or not load_module_kind(found.module.kind).turns:
            raise ContractError(f"{s.subject!r} cannot be turned", where=place)
        if not s.steps or s.step_ps <= 0 or 4 * s.bounce_ps >= s.step_ps:
            raise ContractError(
                "a step takes longer than its four contacts chatter", where=place,
                hint='such as every = "20 ms", bounce = "2 ms"',
            )  # fmt: skip

    def _analog(self, s: Analog, place: str) -> None:
        """Its shape makes sense, and no other voltage comes upon its way."""
        key = self.pin(s.subject, place).key
        times = [t for t, _ in s.points]
        if times and (times[0] != 0 or any(b <= a for a, b in pairwise(times))):
            raise ContractError("its points do not go on from its start", where=place)
        if s.period_ps and len(s.points) != 1:
            raise ContractError("a sine rides on a steady voltage", where=place)
        if s.period_ps < 0 or s.ohm < 0 or min(s.amplitude_uv, s.noise_uv, s.noise_ps) < 0:
            raise ContractError("less than nothing", where=place)
        least = min((uv for _, uv in s.points), default=0) - s.amplitude_uv - s.noise_uv
        if least < -LEAST_UV:
            raise ContractError(
                f"goes down to {show_voltage(least)}: a pin does not stand less than ground",
                where=place,
            )
        for other in self.contract.stimuli:
            if isinstance(other, Analog) and self.pin(other.subject, place).key == key:
                if s.at_ps < other.at_ps < end_of(s):
                    raise ContractError(
                        f"another voltage comes at {show_duration(other.at_ps)}, before it is over",
                        where=place,
                    )
            elif isinstance(other, Drive | Press) and self.subject(other.subject, place).key == key:
                raise ContractError(
                    f"{s.subject} is given a voltage and a level", where=place,
                    hint="set it to 0 V and to the supply instead",
                )  # fmt: skip

    def _names(self, e: Expectation, place: str) -> None:
        match e:
            case Blinks():
                self.pin(e.subject, place)
                if e.phase is not None:
                    reference = self.pin(e.phase.reference, place)
                    if reference.key == self.pin(e.subject, place).key:
                        raise ContractError("keeps step with itself", where=place)
            case Level() | Counts() | Pwm() | Tone():
                self.pin(e.subject, place)
            case Pattern():
                for step in e.steps:
                    for name, _ in step.levels:
                        self.pin(name, place)
            case Follows() if e.above_uv is not None:
                self._threshold(e, place)
            case Follows():
                if self.pin(e.subject, place).key == self.pin(e.source, place).key:
                    raise ContractError(f"{e.subject} follows itself", where=place)
            case Responds():
                self._trigger(e.trigger, place)
                self._trigger(e.response, place)
                if e.response.edge is None and e.response.text is None:
                    raise ContractError(
                        "a response is an edge of a pin or a text on a port", where=place
                    )
            case Never():
                self._trigger(e.moment, place)
                if e.moment.edge is None and e.moment.text is None:
                    raise ContractError("what never comes is an edge or a text", where=place)
            case Exclusive():
                keys = [self.pin(name, place).key for name in e.subjects]
                if len(set(keys)) < max(2, len(keys)):
                    raise ContractError("names fewer than two things, or one twice", where=place)
            case Says() | Replies():
                self.port(e.port, place)
            case Quiet():
                for name in e.but:
                    self.subject(name, place)
            case Transfers():
                self._bus(e, place)
            case Shows():
                self._shown(e, place)
            case Asleep():
                pass

    def _shown(self, e: Shows, place: str) -> None:
        module = self.subject(e.subject, place).module
        if module is None or e.what not in load_module_kind(module.kind).shows:
            raise ContractError(f"{e.subject} shows no {e.what}", where=place)
        measure = load_module_kind(module.kind).shows[e.what]
        if isinstance(e.value, str) != (measure.quantity in TEXTS):
            raise ContractError(f"{e.value!r} is no {measure.quantity}", where=place)
        if measure.quantity == "picture":
            _fits_screen(e, screen(module), place)
        stop = self.contract.span_ps if e.window.stop_ps is None else e.window.stop_ps
        if e.within_ps < 0 or e.window.start_ps + e.within_ps >= stop:
            raise ContractError(
                f"the window is over before the {show_duration(e.within_ps)} are, within which it "
                "may come about", where=place, hint='state a shorter within, such as "10 ms"',
            )  # fmt: skip

    def _bus(self, e: Transfers, place: str) -> None:
        bus = self.subject(e.port, place).bus
        if not bus:
            raise ContractError(f"{e.port!r} is no I2C or SPI port", where=place)
        if e.select is not None:
            self.pin(e.select, place)
        i2c = bus.startswith("I2C")
        if i2c and (e.address is None or not 0 <= e.address < 1 << 10):
            raise ContractError(
                "a transfer on I2C goes to an address", where=place, hint="such as address = 0x50"
            )
        if i2c == (e.select is not None) and e.select is not None:
            raise ContractError("nothing is selected by a pin on I2C", where=f"{place}.select")
        if not i2c and (e.address is not None or not e.answered):
            raise ContractError("there are no addresses on SPI", where=place)
        if not e.answered and (e.writes or e.reads):
            raise ContractError("nothing is transferred if nobody answers", where=place)

    def _threshold(self, e: Follows, place: str) -> None:
        """The voltage is given by the contract, and goes to both sides of the threshold."""
        key = self.pin(e.source, place).key
        if self.pin(e.subject, place).key == key:
            raise ContractError(f"{e.subject} follows itself", where=place)
        low, high = None, None
        for s in self.contract.stimuli:
            if isinstance(s, Analog) and s.points and self.pin(s.subject, place).key == key:
                least = min(uv for _, uv in s.points) - s.amplitude_uv
                most = max(uv for _, uv in s.points) + s.amplitude_uv
                low = least if low is None else min(low, least)
                high = most if high is None else max(high, most)
        assert e.above_uv is not None
        part = self.subject(e.source, place).part
        pin = self.board.chip.pins[key]
        if low is None and any(name.startswith("DAC_OUT") for name in pin.additional):
            return  # the firmware's own
        if low is None and (part is None or part.sensor is None):
            raise ContractError(
                f"nothing gives {e.source} a voltage", where=place, hint="add a [[do]] set"
            )
        above, below = e.above_uv + e.band_uv, e.above_uv - e.band_uv
        if e.band_uv < 0 or below <= 0:
            raise ContractError("a threshold and its band lie above 0 V", where=place)
        if low is None or high is None or low > below or high < above:
            raise ContractError(
                f"{e.source} is never on both sides of {show_voltage(below, 7)} to "
                f"{show_voltage(above, 7)}",
                where=place,
                hint="set it below and above in turn",
            )

    def _trigger(self, trigger: Trigger, place: str) -> None:
        if trigger.text is not None:
            self.port(trigger.subject, place)
        elif trigger.edge is not None:
            self.pin(trigger.subject, place)
        else:
            key = self.subject(trigger.subject, place).key
            if all(self.subject(s.subject, place).key != key for s in self.contract.stimuli):
                raise ContractError(
                    f"nothing is ever done to {trigger.subject}", where=place,
                    hint="add a [[do]] for it, or say which edge is meant",
                )  # fmt: skip

    # ------------------------------------------------------------------------ sense

    def _sense(self, e: Expectation, place: str) -> None:
        tolerance = getattr(e, "tolerance_ppm", 0)
        if not 0 <= tolerance < PPM // 2:
            raise ContractError(
                f"a tolerance of {show_ratio(tolerance)} tells nothing apart", where=place
            )
        match e:
            case Level() if e.level not in (0, 1):
                raise ContractError(f"{e.level!r} is no level", where=place, hint="0 or 1")
            case Blinks():
                if e.period_ps <= 0:
                    raise ContractError("blinks with no period", where=place)
                if e.duty_ppm is not None and not 0 < e.duty_ppm < PPM:
                    raise ContractError(
                        f"on for {show_ratio(e.duty_ppm)} of the time is no blinking", where=place,
                        hint='say level = ..., is = "on" or "off"',
                    )  # fmt: skip
            case Pattern():
                self._pattern(e, place)
            case Counts() | Transfers():
                if e.least < 0 or (e.most is not None and e.most < e.least):
                    raise ContractError(f"{e.least} to {e.most} is no range", where=place)
            case Pwm() | Tone():
                if e.frequency_mhz <= 0:
                    raise ContractError("a frequency is more than nothing", where=place)
                for duty in (getattr(e, "duty_ppm", 0), getattr(e, "to_duty_ppm", None) or 0):
                    if not 0 <= duty <= PPM:
                        raise ContractError(f"a duty of {show_ratio(duty)}", where=place)
            case Responds() if e.after_ps >= e.within_ps:
                raise ContractError(
                    f"not before {show_duration(e.after_ps)}, yet within "
                    f"{show_duration(e.within_ps)}", where=place,
                )  # fmt: skip
            case Shows() if e.tolerance < 0:
                raise ContractError("a tolerance is not less than nothing", where=place)
            case Asleep() if not 0 <= e.least_ppm <= PPM:
                raise ContractError(f"asleep {show_ratio(e.least_ppm)} of the time", where=place)
            case Says() | Replies():
                self._speech(e, place)
            case _:
                pass

    def _pattern(self, e: Pattern, place: str) -> None:
        if not e.steps or not any(step.levels for step in e.steps):
            raise ContractError("a pattern without steps", where=place)
        names = {name for step in e.steps for name, _ in step.levels}
        first = {name for name, _ in e.steps[0].levels}
        if len({self.pin(name, place).key for name in names}) < len(names):
            raise ContractError("calls one pin by two names", where=place)
        if not e.repeat and names - first:
            raise ContractError(
                f"step 1 does not say what {sorted(names - first)[0]} does", where=place
            )
        for i, step in enumerate(e.steps, 1):
            last = i == len(e.steps)
            if step.duration_ps is None and (e.repeat or not last):
                raise ContractError(
                    f"step {i} lasts for ever, yet something follows it",
                    where=f"{place}.steps[{i}]",
                )
            if step.duration_ps is not None and step.duration_ps <= 0:
                raise ContractError(f"step {i} takes no time", where=f"{place}.steps[{i}]")
            if len({self.pin(n, place).key for n, _ in step.levels}) < len(step.levels):
                raise ContractError(f"step {i} names one pin twice", where=f"{place}.steps[{i}]")
            if any(level not in (0, 1) for _, level in step.levels):
                raise ContractError("a level is 0 or 1", where=f"{place}.steps[{i}]")
        still = all(
            len({level for step in e.steps for n, level in step.levels if n == name}) == 1
            for name in names
        )
        if still and e.repeat:
            raise ContractError("a pattern in which nothing changes", where=place, hint="use level")

    def _speech(self, e: Says | Replies, place: str) -> None:
        try:
            known = captures(e.pattern)
        except ContractError as error:
            raise ContractError(error.message, where=place, hint=error.hint) from None
        for name, bound in e.bounds:
            if name not in known:
                raise ContractError(
                    f"{e.pattern!r} has no number {name!r}", where=f"{place}.numbers.{name}",
                    hint=did_you_mean(name, known) or f"write {{{name}}} where it stands",
                )  # fmt: skip
            self._bound(bound, f"{place}.numbers.{name}")
        if isinstance(e, Replies):
            wanted = e.text.encode()
            sends = [s for s in self.contract.stimuli if isinstance(s, Send)]
            key = self.port(e.port, place).key
            data = b"".join(
                s.data
                for s in sorted(sends, key=lambda s: s.at_ps)
                if self.port(s.subject, place).key == key
            )
            if not wanted or wanted not in data:
                raise ContractError(
                    f"{e.text!r} is never sent to {e.port}", where=place, hint="add a [[do]] send"
                )
            return
        if e.period_ps is not None and e.period_ps <= 0:
            raise ContractError("lines with no time between them", where=place)
        if e.baud is not None and e.baud <= 0:
            raise ContractError("a baud rate is more than 0", where=place)

    def _bound(self, bound: Bound, place: str) -> None:
        if bound.least is not None and bound.most is not None and bound.least > bound.most:
            raise ContractError(f"at least {bound.least} and at most {bound.most}", where=place)
        first = bound.first
        if first is not None and (
            (bound.least is not None and first < bound.least)
            or (bound.most is not None and first > bound.most)
        ):
            raise ContractError(f"starts at {first}, which is out of its range", where=place)
        if bound.tracks is None or bound.tracks in _TRACKS:
            return
        kind, _, name = bound.tracks.partition(":")
        if kind in VOLTAGE_UNITS and name:
            found = self.pin(name, f"{place}.tracks")
            if kind == "sensed" and (found.part is None or found.part.sensor is None):
                raise ContractError(
                    f"{name!r} senses nothing", where=f"{place}.tracks",
                    hint="a potentiometer, an ntc or an ldr does; mV: tells the voltage of a pin",
                )  # fmt: skip
            return
        if kind != "presses" or not name:
            raise ContractError(
                f"nothing known as {bound.tracks!r} to track", where=f"{place}.tracks",
                hint=did_you_mean(bound.tracks, (*_TRACKS, "presses:"))
                or f"uptime_ms, uptime_s, presses:BUTTON, or {', '.join(VOLTAGE_UNITS)}:PIN",
            )  # fmt: skip
        self.pin(name, f"{place}.tracks")

    # ------------------------------------------------------------------------ time

    def _time(self, e: Expectation, place: str) -> None:
        window, span = window_of(e), self.contract.span_ps
        at = getattr(e, "at_ps", None)
        if at is not None:
            if not 0 <= at < span:
                raise ContractError(
                    f"{show_duration(at)} is not within the run of {show_duration(span)}",
                    where=f"{place}.at",
                )
            return
        stop = span if window.stop_ps is None else window.stop_ps
        if window.start_ps < 0 or window.start_ps >= stop:
            raise ContractError(
                f"the window from {show_duration(window.start_ps)} to {show_duration(stop)} "
                "is empty",
                where=place,
            )
        if stop > span:
            raise ContractError(
                f"ends at {show_duration(stop)}, after the run, which lasts {show_duration(span)}",
                where=f"{place}.until",
                hint="make the span longer",
            )
        length = stop - window.start_ps
        cycle = cycle_of(e)
        if cycle is not None and length < FEWEST_PERIODS * cycle:
            needed = window.start_ps + FEWEST_PERIODS * cycle
            if window.stop_ps is None:
                needed = required_span([e], self.contract.stimuli)
            raise ContractError(
                f"{show_duration(length)} is too short to show a period of "
                f"{show_duration(cycle)} at least {FEWEST_PERIODS} times",
                where=place,
                hint=f"make it last until {show_duration(needed)}",
            )
        if isinstance(e, Pattern) and not e.repeat:
            whole = length_of(e.steps)
            if length < whole + slack_of(whole, e.tolerance_ppm):
                raise ContractError(
                    f"{show_duration(length)} is too short for steps that take "
                    f"{show_duration(whole)}",
                    where=place,
                )
        if isinstance(e, Says) and e.times is not None and e.period_ps is not None:
            whole = e.times * e.period_ps
            if length < whole:
                raise ContractError(
                    f"{show_duration(length)} is too short to see {e.times} lines every "
                    f"{show_duration(e.period_ps)}, and that no more come",
                    where=place,
                )
        if isinstance(e, Responds | Replies) and length <= e.within_ps:
            raise ContractError(
                f"{show_duration(length)} is too short to wait {show_duration(e.within_ps)}",
                where=place,
            )

    # ------------------------------------------------------------------------ contradictions

    def _against_stimuli(self, placed: list[tuple[str, Expectation]]) -> None:
        driven = {
            self.subject(s.subject, self.where).key: s
            for s in self.contract.stimuli
            if not isinstance(s, Send)
        }
        for place, e in placed:
            for name in _outputs(e):
                stimulus = driven.get(self.subject(name, place).key)
                if stimulus is not None:
                    doing = "pressed" if isinstance(stimulus, Press) else "driven from outside"
                    raise ContractError(
                        f"{name} is {doing} at {show_duration(stimulus.at_ps)}, so firmware cannot "
                        "decide what it does",
                        where=place,
                        hint="expect this of another pin",
                    )

    def _claims(self, placed: list[tuple[str, Expectation]]) -> Iterator[_Claim]:
        for place, e in placed:
            window = window_of(e)
            stop = self.contract.span_ps if window.stop_ps is None else window.stop_ps
            for name in _claimed(e):
                yield _Claim(place, e, self.subject(name, place), window.start_ps, stop)

    def _ports(self, placed: list[tuple[str, Expectation]]) -> None:
        rates: dict[str, tuple[str, int]] = {}
        for place, e in placed:
            if not isinstance(e, Says) or e.baud is None:
                continue
            key = self.port(e.port, place).key
            other, baud = rates.setdefault(key, (place, e.baud))
            if baud != e.baud:
                raise ContractError(
                    f"{e.port} cannot speak at {e.baud} and, in {_short(other)}, at {baud} baud",
                    where=place,
                )

    def _quiet(self, placed: list[tuple[str, Expectation]], claims: list[_Claim]) -> None:
        for place, e in placed:
            if not isinstance(e, Quiet):
                continue
            free = {self.subject(name, place).key for name in e.but}
            free |= {self.subject(s.subject, place).key for s in self.contract.stimuli}
            free |= {pin for name in e.but for pin in self.subject(name, place).pins}
            for claim in claims:
                if _moves(claim.expectation) and claim.subject.key not in free:
                    raise ContractError(
                        f"{claim.subject.name} must keep quiet, yet in {_short(claim.place)} it "
                        "moves",
                        where=place,
                        hint=f'add "{claim.subject.name}" to but',
                    )
            for other, transfers in placed:
                if isinstance(transfers, Transfers) and transfers.most != 0:
                    bus = self.subject(transfers.port, other)
                    if bus.key not in free:
                        raise ContractError(
                            f"{transfers.port} must keep quiet, yet in {_short(other)} it is used",
                            where=place,
                            hint=f'add "{transfers.port}" to but',
                        )
            for other, says in placed:
                if isinstance(says, Says | Replies) and getattr(says, "times", 1) != 0:
                    port = self.port(says.port, other)
                    if port.key not in free:
                        raise ContractError(
                            f"{says.port} must keep quiet, yet in {_short(other)} it speaks",
                            where=place,
                            hint=f'add "{says.port}" to but',
                        )


def _fits_screen(e: Shows, size: tuple[int, int], place: str) -> None:
    """A picture is the whole of the display, or lies within it."""
    rows = str(e.value).split("\n")
    wide, high = len(rows[0]), len(rows)
    if e.corner is None:
        if (wide, high) != size:
            raise ContractError(
                f"the picture is {wide} x {high}, {e.subject} {size[0]} x {size[1]}", where=place,
                hint="say where in it, such as at = [0, 0], or picture all of it",
            )  # fmt: skip
        return
    x, y = e.corner
    if x < 0 or y < 0 or x + wide > size[0] or y + high > size[1]:
        raise ContractError(
            f"a picture of {wide} x {high} at {x}, {y} goes past the edge of {e.subject}, "
            f"which is {size[0]} x {size[1]}", where=f"{place}.shows.at",
        )  # fmt: skip


def _short(place: str) -> str:
    return place.rpartition(": ")[2]


def _outputs(e: Expectation) -> tuple[str, ...]:
    """The pins that firmware must move or hold for this to come true."""
    match e:
        case Blinks() | Pwm() | Tone() | Follows():
            return (e.subject,)
        case Pattern():
            return tuple(dict.fromkeys(name for step in e.steps for name, _ in step.levels))
        case Responds() if e.response.edge is not None:
            return (e.response.subject,)
        case _:
            return ()


def _claimed(e: Expectation) -> tuple[str, ...]:
    """The pins whose whole behaviour in the window an expectation lays down."""
    match e:
        case Level() | Blinks() | Pwm() | Tone() | Counts():
            return (e.subject,)
        case Pattern() | Follows() | Responds():
            return _outputs(e)
        case Never() if e.moment.edge is not None:
            return (e.moment.subject,)
        case _:
            return ()


def _moves(e: Expectation) -> bool:
    return isinstance(e, Blinks | Pwm | Tone | Pattern | Follows | Responds) or (
        isinstance(e, Counts) and e.least > 0
    )


def _period(e: Expectation) -> tuple[int, int] | None:
    """The periods that an expectation allows, or None where it lays down none."""
    match e:
        case Blinks():
            period = e.period_ps
        case Pwm() if 0 < e.duty_ppm < PPM:
            period = period_ps(e.frequency_mhz)
        case Tone():
            period = period_ps(e.frequency_mhz)
        case _:
            return None
    slack = slack_of(period, e.tolerance_ppm)
    return period - slack, period + slack


def _agree(one: _Claim, two: _Claim) -> None:
    """Refuse two claims on one pin, in the order of the contract, that cannot both come true."""
    start, stop = max(one.start, two.start), min(one.stop, two.stop)
    if start >= stop:
        return
    first, later = one, two
    a, b = one.expectation, two.expectation
    if isinstance(b, Level) or (isinstance(b, Never | Counts) and not isinstance(a, Level)):
        a, b = b, a
        one, two = two, one
    if isinstance(b, Counts) and not (one.start <= two.start and two.stop <= one.stop):
        return  # it can change outside the window in which it keeps still
    why = _clash(a, b, stop - start)
    if why is not None:
        raise ContractError(
            f"{later.subject.name} cannot do this and what {_short(first.place)} asks: {why}",
            where=later.place,
            hint="give them windows that do not overlap, or drop one",
        )


def _clash(a: Expectation, b: Expectation, overlap: int) -> str | None:
    periods = _period(a), _period(b)
    if periods[0] is not None and periods[1] is not None:
        if periods[0][1] < periods[1][0] or periods[1][1] < periods[0][0]:
            return f"{rate_words(sum(periods[0]) // 2)} against {rate_words(sum(periods[1]) // 2)}"
        if isinstance(a, Blinks) and isinstance(b, Blinks) and a.duty_ppm and b.duty_ppm:
            one, two = a.period_ps * a.duty_ppm // PPM, b.period_ps * b.duty_ppm // PPM
            if abs(one - two) > slack_of(one, a.tolerance_ppm) + slack_of(two, b.tolerance_ppm):
                return f"on for {show_duration(one)} against {show_duration(two)}"
        return None
    if isinstance(a, Level) and isinstance(b, Level):
        same = a.at_ps is None or b.at_ps is None or a.at_ps == b.at_ps
        return "two levels at once" if same and a.level != b.level else None
    if isinstance(a, Level):
        return _level_clash(a, b, overlap)
    pair = (a, b) if isinstance(a, Pattern) else (b, a)
    if isinstance(pair[0], Pattern) and periods != (None, None):
        other = pair[1]
        if isinstance(other, Blinks) and _pattern_blinks(pair[0], other):
            return None
        return "a pattern of its own against a steady rate"
    if isinstance(a, Never) and b.__class__ in (Blinks, Pwm, Tone):
        period = _period(b)
        long = period is not None and overlap > 2 * period[1]
        return "something that never comes, and comes all the time" if long else None
    return None


def _level_clash(a: Level, b: Expectation, overlap: int) -> str | None:
    if a.at_ps is not None:
        return _level_in_pattern(a, b) if isinstance(b, Pattern) else None
    period = _period(b)
    if period is not None and overlap > period[1]:
        return "one level throughout against going on and off"
    if isinstance(b, Pattern):
        mine = [
            (level == a.level, step.duration_ps) for step in b.steps for _, level in step.levels
        ]
        cycle = length_of(b.steps)
        subjects = {name for step in b.steps for name, _ in step.levels}
        if len(subjects) == 1 and b.repeat and overlap > 2 * cycle and not all(s for s, _ in mine):
            return "one level throughout against a pattern"
    if isinstance(b, Counts) and b.least > 1:
        return f"one level throughout against at least {b.least} changes"
    return None


def _level_in_pattern(a: Level, b: Pattern) -> str | None:
    """A level at a moment against the step that the moment falls into, well inside it."""
    assert a.at_ps is not None
    at = b.window.start_ps
    cycle = length_of(b.steps)
    rounds = (a.at_ps - at) // cycle if b.repeat and cycle else 0
    give = slack_of(max(0, a.at_ps - at), b.tolerance_ppm) + b.start_within_ps
    at += rounds * cycle
    held: dict[str, int] = {}
    for step in b.steps:
        held |= dict(step.levels)
        end = None if step.duration_ps is None else at + step.duration_ps
        if at + give <= a.at_ps and (end is None or a.at_ps < end - give):
            if held.get(a.subject, a.level) != a.level:
                return f"at {show_duration(a.at_ps)} the pattern is at the other level"
            return None
        if end is None:
            return None
        at = end
    return None


def _pattern_blinks(pattern: Pattern, blinks: Blinks) -> bool:
    """Whether a pattern's own length can be a blink's period."""
    slack = slack_of(blinks.period_ps, blinks.tolerance_ppm + pattern.tolerance_ppm)
    cycle = length_of(pattern.steps)
    return pattern.repeat and cycle > 0 and min(
        cycle % blinks.period_ps, -cycle % blinks.period_ps
    ) <= slack  # fmt: skip
