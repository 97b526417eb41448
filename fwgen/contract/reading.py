"""Contracts from TOML. Every key, kind, unit and name is checked, and refused by its place."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from fwgen.board.board_file import read_wired
from fwgen.board.modules import check_modules, load_module_kind, outputs_in
from fwgen.board.outputs import PinNames
from fwgen.board.quantities import QUANTITIES, parse_lines
from fwgen.board.sensors import parse_sensed
from fwgen.board.table import Finding, suggest
from fwgen.contract.accept import GAP, HAZARD, RESET, Accepted
from fwgen.contract.checks import check_contract
from fwgen.contract.sensing import VOLTAGE_UNITS, courses, threshold
from fwgen.contract.subjects import Subject, find, resolve, wired
from fwgen.contract.table import Table
from fwgen.contract.timing import required_span
from fwgen.contract.types import (
    Analog,
    Asleep,
    Blinks,
    Bound,
    Contract,
    Counts,
    Drive,
    Exclusive,
    Follows,
    Level,
    Never,
    Pattern,
    Phase,
    Press,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Send,
    Sense,
    Sensed,
    Shows,
    Step,
    Tone,
    Transfers,
    Trigger,
    Turn,
    Window,
)
from fwgen.errors import ContractError, UnitError, did_you_mean
from fwgen.units import (
    PPM,
    parse_duration,
    parse_frequency,
    parse_ratio,
    parse_resistance,
    parse_voltage,
    period_ps,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwgen.board.types import Board, Device, Module, Part
    from fwgen.contract.types import Edge, Expectation, Stimulus

_T = TypeVar("_T")
_N = TypeVar("_N", int, int | str)

_ACCEPT = '[[accept]] with hazard = "CODE" (or reset = "CAUSE", gap = "NAME") and because = "WHY"'

_LONGEST_SPAN_PS = 24 * 3600 * 10**12

_BYTE = re.compile(r"[0-9A-Fa-f]{2}|\?\?")
_ON = frozenset(("on", "lit", "pressed"))
_OFF = frozenset(("off", "dark", "released"))
_TURNS: Mapping[str, Edge] = {"on": "rising", "off": "falling", "either": "both"}
_COUNTED: Mapping[str, str] = {
    "on": "rising", "off": "falling", "either": "both", "pulses": "pulse",
    "rising": "rising", "falling": "falling", "both": "both", "pulse": "pulse",
}  # fmt: skip


def load_contract(source: Path | str, board: Board, *, where: str | None = None) -> Contract:
    """Read a contract and check it against the board.

    ``source`` is a path, or the TOML text itself (a string with a line's end in it).
    Raises ContractError, whose ``where`` names file, table and key.
    """
    if isinstance(source, Path) or ("\n" not in source and "=" not in source):
        path = Path(source)
        where = where or str(source)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ContractError("there is no such contract", where=where) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ContractError(f"the contract cannot be read: {error}", where=where) from None
    else:
        text, where = source, where or "contract"
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"not valid TOML: {error}", where=where) from None
    except RecursionError:
        raise ContractError("nested too deeply", where=where) from None
    return _Reader(board, where).contract(data)


def read_contract(data: Mapping[str, object], board: Board, *, where: str = "contract") -> Contract:
    """A contract from what its TOML would hold. Raises ContractError that names the key."""
    return _Reader(board, where).contract(dict(data))


class _Reader:
    """Turns tables into stimuli and expectations, for one board."""

    def __init__(self, board: Board, where: str) -> None:
        self.board, self.where = board, where

    def contract(self, data: dict[str, object]) -> Contract:
        top = Table(data, self.where, ": ")
        known = {self.board.name, *self.board.aliases}
        board = top.text("board", self.board.name)
        if board.casefold() not in {name.casefold() for name in known}:
            raise top.wrong("board", f"this contract is for {board!r}, not {self.board.name!r}")
        title = top.text("title", "untitled")
        prompt = top.text("prompt", "")
        notes = top.names("notes") if "notes" in top else ()
        if isinstance(top.data.get("accept"), dict):
            raise top.wrong("accept", "expected tables", hint=_ACCEPT)
        accept = self._each(top, "accept", self._accepted)
        parts, devices, modules = self._parts(top)
        self.board = wired(self.board, parts, devices, modules)
        stimuli = self._each(top, "do", self._stimulus)
        expectations = self._each(top, "expect", self._expectation)
        span = top.duration("span")
        top.close()
        if span is None:
            span = required_span(expectations, stimuli)
        if not 0 < span <= _LONGEST_SPAN_PS:
            raise top.wrong("span", "a run lasts more than nothing and at most a day")
        made = Contract(
            title,
            self.board.name,
            span,
            stimuli,
            expectations,
            accept,
            prompt,
            notes,
            parts,
            devices,
            modules,
        )
        check_contract(made, self.board, where=self.where)
        return made

    def _accepted(self, table: Table) -> tuple[str, str]:
        given = [what for what in (HAZARD, RESET, GAP) if what in table]
        if len(given) != 1:
            raise ContractError(
                "one thing is accepted by a table: a hazard, a reset or a gap",
                where=table.where, hint=_ACCEPT,
            )  # fmt: skip
        made = Accepted(given[0], table.text(given[0]), table.text("because"))
        return made.key, made.because

    def _parts(self, top: Table) -> tuple[tuple[Part, ...], tuple[Device, ...], tuple[Module, ...]]:
        """What is wired to the board for this contract."""
        if "parts" not in top:
            return (), (), ()
        board, findings = self.board, list[Finding]()

        def find_pin(name: str) -> str:
            pin = board.find_pin(name)
            return pin.name if pin is not None else ""

        place = top.place("parts")

        def complain(name: str, message: str, hint: str | None) -> None:
            findings.append(Finding(f"{place}.{name}", message, hint))

        data = top.get("parts")
        theirs = {m.name: m.outputs for m in board.modules.values() if m.outputs}
        pins = PinNames(
            find_pin, lambda pin: board.chip.pins[pin].five_volt_tolerant,
            theirs | outputs_in(data),
        )  # fmt: skip
        parts, devices, modules = read_wired(data, place, pins, pins.stands_5v, findings)
        check_modules(
            modules.values(), wired(board, parts.values(), devices.values(), ()), complain
        )
        for finding in findings:
            raise ContractError(finding.message, where=finding.where, hint=finding.hint)
        for name in (*parts, *devices, *modules):
            if find(name, board) is not None or name in board.devices:
                raise top.wrong("parts", f"{board.name} already has a {name!r}")
            if "." in name:
                raise top.wrong("parts", f"{name!r}: a name has no dot in it")
        for name, part in parts.items():
            taken = [other.name for other in board.parts.values() if other.pin == part.pin]
            if taken:
                raise top.wrong("parts", f"{name}: {taken[0]} is on {part.pin}")
        return tuple(parts.values()), tuple(devices.values()), tuple(modules.values())

    def _each(self, top: Table, key: str, read: Callable[[Table], _T]) -> tuple[_T, ...]:
        tables = top.get(key) or []
        if not isinstance(tables, list):
            raise top.wrong(key, "expected tables", hint=f"each under its own [[{key}]]")
        made = []
        for i, data in enumerate(tables, 1):
            table = Table(data, f"{self.where}: {key}[{i}]")
            made.append(read(table))
            table.close()
        return tuple(made)

    def subject(self, table: Table, key: str, name: str | None = None) -> Subject:
        name = table.text(key) if name is None else name
        try:
            return resolve(name, self.board)
        except ContractError as error:
            raise table.wrong(key, error.message, error.hint) from None

    def pin(self, table: Table, key: str, name: str | None = None) -> str:
        found = self.subject(table, key, name)
        if found.module is not None:
            raise table.wrong(key, f"{found.name!r} has several pins", "name one of the board's")
        if not found.pin:
            raise table.wrong(key, f"{found.name!r} is a port, not a pin or a part")
        return found.name

    def port(self, table: Table, key: str, default: str | None = None) -> str:
        name = table.text(key, default)
        found = self.subject(table, key, name)
        if not found.port:
            raise table.wrong(key, f"{name!r} is no serial port", hint='such as "console"')
        return name

    def level(self, table: Table, key: str, name: str, value: object) -> int:
        """The level that a word means, in the subject's own terms."""
        word = value.casefold() if isinstance(value, str) else value
        if word in _ON or word in _OFF:
            return int(word in _ON)
        if word in ("high", "low"):
            raw = int(word == "high")
            return int(raw == self.subject(table, key, name).active)
        raise table.wrong(
            key,
            f"{value!r} is no level",
            hint="on, off, high, low, pressed or released",
        )

    def window(self, table: Table) -> Window:
        start = table.duration("from")
        return Window(start or 0, table.duration("until"))

    # ------------------------------------------------------------------------ stimuli

    def _stimulus(self, table: Table) -> Stimulus:
        verb = _verb(table, ("press", "turn", "drive", "set", "ramp", "sine", "send", "send_hex"))
        at = table.duration("at")
        if at is None:
            raise ContractError("'at' is missing", where=table.where, hint='such as at = "1 s"')
        if verb == "press":
            pressed = self.subject(table, "press")
            if pressed.module is None:
                self.pin(table, "press")
            return Press(pressed.name, at, table.duration("for"), table.duration("bounce") or 0)
        if verb == "drive":
            name = self.pin(table, "drive")
            to = table.text("to")
            if to == "floating":
                return Drive(name, at, None)
            return Drive(name, at, self.level(table, "to", name, to))
        if verb == "turn":
            return self._turn(table, at)
        if verb in ("set", "ramp", "sine"):
            found = self.subject(table, verb)
            if found.module is not None:
                return self._sense(table, verb, at, found)
            return self._analog(table, verb, at)
        baud = table.count("baud")
        if baud == 0:
            raise table.wrong("baud", "a baud rate is more than 0")
        text = table.text(verb)
        if verb == "send":
            return Send(self.port(table, "to", "console"), at, text.encode(), baud)
        try:
            data = bytes.fromhex(text)
        except ValueError:
            raise table.wrong(verb, f"{text!r} is not hex bytes", hint='"0d 0a"') from None
        return Send(self.port(table, "to", "console"), at, data, baud)

    def _turn(self, table: Table, at_ps: int) -> Turn:
        name = self.subject(table, "turn").name
        steps = table.whole("steps")
        if not steps:
            raise ContractError("'steps' is missing", where=table.where,
                                hint="steps = 3 to the right, -3 to the left")  # fmt: skip
        each = table.duration("every")
        bounce = table.duration("bounce") or 0
        return Turn(name, at_ps, steps, 20 * 10**9 if each is None else each, bounce)

    def _sense(self, table: Table, verb: str, at_ps: int, found: Subject) -> Sense:
        """What a module senses, at once or along a ramp."""
        module = found.module
        assert module is not None
        senses = load_module_kind(module.kind).senses
        if found.item not in senses or verb == "sine":
            names = " or ".join(f"{module.name}.{name}" for name in senses)
            raise table.wrong(
                verb, f"{found.name!r} cannot be {'given a sine' if verb == 'sine' else 'set'}",
                f"set {names}" if names else f"a {module.kind} senses nothing",
            )  # fmt: skip
        measure = senses[found.item]

        def value(key: str) -> int:
            if table.get(key) is None:
                raise ContractError(f"{key!r} is missing", where=table.where)
            made = table.parsed(key, table.get(key), measure.parse, signed=True)
            return int(made)

        to = value("to")
        start, over = to, 0
        if verb == "ramp":
            start = value("from")
            over = self._required(table, "over", parse_duration)
            if not over:
                raise table.wrong("over", "a ramp takes its time", hint="use set")
        noise = table.quantity("noise", QUANTITIES[measure.quantity].parse) or 0
        return Sense(
            f"{module.name}.{found.item}", at_ps, start, to, over, int(noise),
            *self._noise(table, bool(noise)),
        )  # fmt: skip

    def _noise(self, table: Table, noisy: bool) -> tuple[int, int]:
        """The seed of a noise, and how often it takes a new value."""
        seed, every = table.count("seed") or 0, table.duration("noise_every")
        if every == 0:
            raise table.wrong("noise_every", "a noise cannot change all the time", hint='"1 ms"')
        if every is not None and not noisy:
            raise table.wrong("noise_every", "there is no noise", hint='such as noise = "2 mV"')
        return seed, every or 0

    def _analog(self, table: Table, verb: str, at_ps: int) -> Analog:
        """A voltage at a pin, or what makes a part give one."""
        found = self.subject(table, verb)
        if not found.pin:
            raise table.wrong(verb, f"{found.name!r} is a port, not a pin or a part")
        part = found.part if found.part is not None and found.part.sensor is not None else None
        pin = found.name if part is None else found.pin  # the bench knows no parts of a contract
        noise = table.quantity("noise", parse_voltage) or 0
        seed, every = self._noise(table, bool(noise))
        if verb == "set" and table.get("to") == "floating":
            return Analog(pin, at_ps, ())
        if verb == "sine":
            if part is not None:
                raise table.wrong(verb, f"{part.name} gives a voltage by what it senses: use ramp")
            if "period" in table and "frequency" in table:
                raise table.wrong("period", "say either frequency or period")
            key = "period" if "period" in table else "frequency"
            parse = parse_duration if key == "period" else parse_frequency
            rate = self._required(table, key, parse)
            if not rate:
                raise table.wrong(key, "a sine goes up and down")
            made = Analog(
                pin, at_ps, ((0, self._required(table, "offset", parse_voltage)),),
                self._required(table, "amplitude", parse_voltage),
                rate if key == "period" else period_ps(rate), noise,
            )  # fmt: skip
            ohm = table.quantity("impedance", parse_resistance) or 0
            return replace(made, ohm=ohm, seed=seed, noise_ps=every)
        ends = [self._sensed(table, key, part) for key in (("from",) if verb == "ramp" else ())]
        ends.append(self._sensed(table, "to", part))
        over = 0
        if verb == "ramp":
            over = self._required(table, "over", parse_duration)
            if not over:
                raise table.wrong("over", "a ramp takes its time", hint="use set")
        if part is not None:
            points, ohm = courses(part, ends[0], ends[-1], over, self.board.supply_uv)
            return Analog(
                pin, at_ps, points, noise_uv=noise, ohm=ohm,
                sensed=Sensed(part.name, ends[0], ends[-1]), seed=seed, noise_ps=every,
            )  # fmt: skip
        line = ((0, ends[0]), (over, ends[-1])) if over else ((0, ends[-1]),)
        ohm = table.quantity("impedance", parse_resistance) or 0
        return Analog(pin, at_ps, line, noise_uv=noise, ohm=ohm, seed=seed, noise_ps=every)

    def _sensed(self, table: Table, key: str, part: Part | None) -> int:
        """Microvolts, or what a part senses in its own unit."""
        if part is None:
            return self._required(table, key, parse_voltage)
        value = table.get(key)
        if value is None:
            raise ContractError(f"{key!r} is missing", where=table.where)
        return table.parsed(key, value, partial(parse_sensed, part.kind), signed=True)

    def _required(self, table: Table, key: str, parse: Callable[[str], int]) -> int:
        value = table.quantity(key, parse)
        if value is None:
            raise ContractError(f"{key!r} is missing", where=table.where)
        return value

    # ------------------------------------------------------------------------ expectations

    def _expectation(self, table: Table) -> Expectation:
        return _VERBS[_verb(table, tuple(_VERBS))](self, table)

    def _level(self, table: Table) -> Level:
        name = self.pin(table, "level")
        level = self.level(table, "is", name, table.get("is"))
        if "at" in table:
            for key in ("from", "until"):
                if key in table:
                    raise table.wrong(key, "a level is either at a moment or in a window")
            return Level(name, level, table.duration("at"))
        return Level(name, level, None, self.window(table))

    def _blinks(self, table: Table) -> Blinks:
        name = self.pin(table, "blinks")
        given = [key for key in ("rate", "period", "on") if key in table]
        if len(given) != 1:
            raise ContractError(
                "say one of rate, period, or on and off",
                where=table.where,
                hint='rate = "2 Hz", or period = "500 ms", or on = "100 ms" and off = "400 ms"',
            )
        main = given[0]
        value, tolerance = self._with_tolerance(
            table, main, parse_frequency if main == "rate" else parse_duration
        )
        duty: int | None = 500_000
        if value == 0:
            raise table.wrong(main, "nothing blinks that slowly or quickly")
        if main == "on":
            off = table.duration("off")
            if off is None or "duty" in table:
                raise table.wrong("on", "with 'on' goes 'off', and no 'duty'")
            period = value + off
            duty = round(value * PPM / period)
        else:
            period = period_ps(value) if main == "rate" else value
            if "off" in table:
                raise table.wrong("off", "with 'off' goes 'on', and no rate or period")
            if "duty" in table:
                text = table.get("duty")
                duty = None if text == "any" else table.parsed("duty", text, parse_ratio)
        phase = None
        if "phase" in table:
            inner = Table(table.get("phase"), table.place("phase"))
            phase = Phase(self.pin(inner, "of"), inner.duration("after") or 0)
            inner.close()
        starts = None
        if "starts" in table:
            starts = self.level(table, "starts", name, table.get("starts"))
        return Blinks(
            name, period, duty, phase, tolerance if tolerance is not None else 20_000,
            self.window(table), starts, table.duration("first_on_by"),
        )  # fmt: skip

    def _pattern(self, table: Table) -> Pattern:
        names = table.names("pattern")
        for name in names:
            self.pin(table, "pattern", name)
        steps = table.get("steps")
        if not isinstance(steps, list) or not steps:
            raise ContractError("'steps' is missing", where=table.where)
        made = [
            self._step(names, step, table, f"{table.where}.steps[{i}]")
            for i, step in enumerate(steps, 1)
        ]
        tolerance = table.quantity("tolerance", parse_ratio)
        within = table.duration("start_within")
        return Pattern(
            tuple(made),
            table.flag("repeat", default=True),
            20_000 if tolerance is None else tolerance,
            10**10 if within is None else within,
            self.window(table),
        )

    def _step(self, names: tuple[str, ...], step: object, table: Table, where: str) -> Step:
        if isinstance(step, str):
            word, _, rest = step.strip().partition(" ")
            if len(names) != 1:
                raise ContractError(
                    "a step of several subjects is a table", where=where,
                    hint=f'{{ {names[0] if names else "LD2"} = "on", for = "1 s" }}',
                )  # fmt: skip
            level = self.level(table, "steps", names[0], word)
            rest = rest.strip().removeprefix("for ")
            lasts = table.parsed("steps", rest, parse_duration) if rest else None
            return Step(((names[0], level),), lasts)
        inner = Table(step, where)
        lasts = inner.duration("for")
        levels = []
        for name in inner.data:
            if name == "for":
                continue
            if name not in names:
                raise ContractError(
                    f"{name!r} is not in this pattern", where=where,
                    hint=did_you_mean(name, names) or f"it has {', '.join(names)}",
                )  # fmt: skip
            levels.append((name, self.level(inner, name, name, inner.get(name))))
        return Step(tuple(levels), lasts)

    def _counts(self, table: Table) -> Counts:
        name = self.pin(table, "counts")
        what = table.text("what", "pulses")
        if what not in _COUNTED:
            raise table.wrong(
                "what", f"cannot count {what!r}",
                did_you_mean(what, _COUNTED) or "pulses, on, off or either",
            )  # fmt: skip
        exactly = table.count("exactly")
        least, most = table.count("least"), table.count("most")
        if exactly is not None and (least, most) != (None, None):
            raise table.wrong("exactly", "say either exactly, or least and most")
        if exactly is None and (least, most) == (None, None):
            raise ContractError("say exactly, least or most", where=table.where)
        low, high = (exactly, exactly) if exactly is not None else (least or 0, most)
        kind = cast("Literal['rising', 'falling', 'both', 'pulse']", _COUNTED[what])
        return Counts(name, kind, low, high, self.window(table))

    def _pwm(self, table: Table) -> Pwm:
        name = self.pin(table, "pwm")
        value, tolerance = self._with_tolerance(table, "frequency", parse_frequency)
        duty = table.quantity("duty", parse_ratio)
        if duty is None:
            raise ContractError("'duty' is missing", where=table.where)
        give = table.quantity("duty_tolerance", parse_ratio)
        return Pwm(
            name, value, duty, table.quantity("to_duty", parse_ratio),
            20_000 if tolerance is None else tolerance, 10_000 if give is None else give,
            self.window(table),
        )  # fmt: skip

    def _tone(self, table: Table) -> Tone:
        name = self.pin(table, "tone")
        value, tolerance = self._with_tolerance(table, "frequency", parse_frequency)
        return Tone(name, value, 5_000 if tolerance is None else tolerance, self.window(table))

    def _follows(self, table: Table) -> Follows:
        verb = "inverts" if "inverts" in table else "follows"
        latency = table.duration("within")
        made = Follows(
            self.pin(table, verb), self.pin(table, "source"), verb == "inverts",
            10**9 if latency is None else latency, self.window(table),
        )  # fmt: skip
        if "above" not in table and "below" not in table:
            if "band" in table:
                raise table.wrong("band", "a band goes with above or below")
            return made
        if "above" in table and "below" in table:
            raise table.wrong("below", "say either above or below")
        key = "above" if "above" in table else "below"
        source = self.subject(table, "source")
        part = source.part if source.part is not None and source.part.sensor is not None else None
        if str(table.get(key)).strip().endswith(("V", "v")):
            part = None  # a voltage, whatever gives it
        level, falls = threshold(part, self._sensed(table, key, part), self.board.supply_uv)
        band = table.quantity("band", parse_voltage)
        return replace(
            made, invert=made.invert ^ falls ^ (key == "below"), above_uv=level,
            band_uv=10_000 if band is None else band,
        )  # fmt: skip

    def _responds(self, table: Table) -> Responds:
        within = table.duration("within")
        if within is None:
            raise ContractError("'within' is missing", where=table.where)
        return Responds(
            self._trigger(table, "when"), self._trigger(table, "then"), within,
            table.duration("not_before") or 0, self.window(table),
        )  # fmt: skip

    def _never(self, table: Table) -> Never:
        return Never(self._trigger(table, "never"), self.window(table))

    def _trigger(self, table: Table, key: str) -> Trigger:
        if key not in table:
            raise ContractError(f"{key!r} is missing", where=table.where)
        inner = Table(table.get(key), table.place(key))
        name = inner.text("of")
        edge: Edge | None = None
        text = inner.text("says") if "says" in inner else None
        if "turns" in inner:
            word = inner.text("turns")
            if word in _TURNS:
                edge = _TURNS[word]
            else:
                edge = "rising" if self.level(inner, "turns", name, word) else "falling"
        if edge is not None and text is not None:
            raise inner.wrong("turns", "a moment is either an edge or a text")
        inner.close()
        if text is not None:
            if not text:
                raise inner.wrong("says", "no text")
            return Trigger(self.port(inner, "of"), None, text)
        if edge is not None:
            return Trigger(self.pin(inner, "of"), edge)
        return Trigger(self.subject(inner, "of").name)

    def _exclusive(self, table: Table) -> Exclusive:
        names = table.names("exclusive")
        return Exclusive(
            tuple(self.pin(table, "exclusive", name) for name in names), self.window(table)
        )

    def _says(self, table: Table) -> Says:
        period, tolerance = None, None
        if "every" in table:
            period, tolerance = self._with_tolerance(table, "every", parse_duration)
        else:
            tolerance = table.quantity("tolerance", parse_ratio)
        return Says(
            self.port(table, "port", "console"),
            table.text("says"),
            self._numbers(table),
            period,
            table.count("baud"),
            table.count("times"),
            table.flag("only", default=True),
            table.duration("first_by"),
            20_000 if tolerance is None else tolerance,
            self.window(table),
        )

    def _replies(self, table: Table) -> Replies:
        within = table.duration("within")
        return Replies(
            self.port(table, "port", "console"),
            table.text("to"),
            table.text("replies"),
            self._numbers(table),
            10**11 if within is None else within,
            self.window(table),
        )

    def _numbers(self, table: Table) -> tuple[tuple[str, Bound], ...]:
        if "numbers" not in table:
            return ()
        outer = Table(table.get("numbers"), table.place("numbers"))
        made = []
        for name in outer.data:
            inner = Table(outer.get(name), outer.place(name))
            tracks = inner.text("tracks") if "tracks" in inner else None
            bound = Bound(
                inner.whole("least"), inner.whole("most"), inner.whole("first"),
                inner.whole("step"), tracks, inner.count("slack") or 0,
            )  # fmt: skip
            age = inner.duration("age")
            if age is not None:
                if tracks is None or tracks.partition(":")[0] not in VOLTAGE_UNITS:
                    raise inner.wrong("age", "goes with tracks of a voltage")
                bound = replace(bound, age_ps=age)
            inner.close()
            made.append((name, bound))
        return tuple(made)

    def _shows(self, table: Table) -> Shows:
        inner = Table(table.get("shows"), table.place("shows"))
        found = self.subject(inner, "part")
        if found.module is None:
            raise inner.wrong("part", f"{found.name!r} shows nothing of its own")
        known = load_module_kind(found.module.kind).shows
        given = [key for key in inner.data if key not in ("part", "at")]
        if len(given) != 1 or given[0] not in known:
            raise ContractError(
                f"say one thing that {found.name} shows", where=inner.where,
                hint=f"known: {', '.join(known)}" if known else "it shows nothing",
            )  # fmt: skip
        measure, what = known[given[0]], given[0]
        quantity = QUANTITIES[measure.quantity]
        raw = inner.get(what)
        if measure.quantity in ("text", "word"):
            text = inner.text(what)
            value: int | str = parse_lines(text) if measure.quantity == "text" else text
            if measure.choices and text not in measure.choices:
                raise inner.wrong(what, f"{text!r} is none", suggest(text, measure.choices))
        elif measure.quantity in ("colour", "picture"):
            try:
                value = quantity.parse(inner.text(what))
            except UnitError as error:
                raise inner.wrong(what, error.message, error.hint) from None
        else:
            counted = measure.quantity == "count" and type(raw) is int
            value = inner.parsed(what, str(raw) if counted else raw, measure.parse, signed=True)
        corner = self._corner(inner) if measure.quantity == "picture" else None
        inner.close()
        tolerance = measure.tolerance
        if "tolerance" in table:
            if measure.quantity == "colour":
                tolerance = table.count("tolerance") or 0
            elif isinstance(value, str) or measure.quantity == "count":
                raise table.wrong("tolerance", f"there is none for {what}")
            else:
                tolerance = int(table.quantity("tolerance", quantity.parse) or 0)
        within = table.duration("within")
        name = found.module.name
        return Shows(
            name, what, value, tolerance, 10**11 if within is None else within,
            self.window(table), corner,
        )  # fmt: skip

    def _corner(self, inner: Table) -> tuple[int, int] | None:
        """Where in a display a picture is expected: column and row of its upper left pixel."""
        given = inner.get("at")
        if given is None:
            return None
        match given:
            case [int(x), int(y)] if bool not in (type(x), type(y)):
                return x, y
        raise inner.wrong("at", "expected a column and a row", hint="such as at = [0, 16]")

    def _transfer(self, table: Table) -> Transfers:
        found = self.subject(table, "transfer")
        if not found.bus:
            raise table.wrong("transfer", f"{found.name!r} is no I2C or SPI port", "such as I2C1")
        exactly = table.count("times")
        least, most = table.count("least"), table.count("most")
        if exactly is not None and (least, most) != (None, None):
            raise table.wrong("times", "say either times, or least and most")
        low, high = (exactly, exactly) if exactly is not None else (least, most)
        select = self.pin(table, "select") if "select" in table else None
        return Transfers(
            found.bus, table.count("address"), select, self._hex(table, "writes"),
            self._hex(table, "reads"), table.flag("answered", default=True),
            1 if low is None else low, high, self.window(table),
        )  # fmt: skip

    def _hex(self, table: Table, key: str) -> tuple[int | None, ...] | None:
        """Bytes as hexadecimal digits; ?? is any."""
        if key not in table:
            return None
        words = table.text(key).split()
        if not all(_BYTE.fullmatch(word) for word in words):
            raise table.wrong(key, "expected hexadecimal bytes", hint='such as "9f ?? 40"')
        return tuple(None if word == "??" else int(word, 16) for word in words)

    def _asleep(self, table: Table) -> Asleep:
        least = table.quantity("asleep", parse_ratio)
        return Asleep(least or 0, self.window(table))

    def _quiet(self, table: Table) -> Quiet:
        if not table.flag("quiet", default=True):
            raise table.wrong("quiet", "leave the table out where pins may move")
        names = table.names("but") if "but" in table else ()
        for name in names:
            self.subject(table, "but", name)
        return Quiet(names)

    def _with_tolerance(
        self, table: Table, key: str, parse: Callable[[str], int]
    ) -> tuple[int, int | None]:
        """A quantity, and the tolerance that stands after a ± or under ``tolerance``."""
        value = table.get(key)
        if value is None:
            raise ContractError(f"{key!r} is missing", where=table.where)
        apart = table.quantity("tolerance", parse_ratio)
        if not isinstance(value, str):
            return table.parsed(key, value, parse), apart
        main, sign, give = value.replace("+-", "±").replace("+/-", "±").partition("±")
        if not sign:
            return table.parsed(key, value, parse), apart
        if apart is not None:
            raise table.wrong("tolerance", f"{key!r} already states one")
        return table.parsed(key, main, parse), table.parsed(key, give, parse_ratio)


_VERBS: Mapping[str, Callable[[_Reader, Table], Expectation]] = {
    "level": _Reader._level,
    "blinks": _Reader._blinks,
    "pattern": _Reader._pattern,
    "counts": _Reader._counts,
    "pwm": _Reader._pwm,
    "tone": _Reader._tone,
    "follows": _Reader._follows,
    "inverts": _Reader._follows,
    "when": _Reader._responds,
    "never": _Reader._never,
    "exclusive": _Reader._exclusive,
    "says": _Reader._says,
    "replies": _Reader._replies,
    "shows": _Reader._shows,
    "transfer": _Reader._transfer,
    "asleep": _Reader._asleep,
    "quiet": _Reader._quiet,
}


def _verb(table: Table, known: tuple[str, ...]) -> str:
    found = [verb for verb in known if verb in table.data]
    if len(found) == 1:
        table.asked.add(found[0])
        return found[0]
    if found:
        raise ContractError(
            f"this says both {found[0]!r} and {found[1]!r}",
            where=table.where,
            hint="make it two tables",
        )
    guesses = (did_you_mean(key, known) for key in table.data)
    raise ContractError(
        f"this does not say what: no {', '.join(known[:3])} ...",
        where=table.where,
        hint=next((guess for guess in guesses if guess), f"known: {', '.join(known)}"),
    )
