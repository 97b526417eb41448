"""A contract in plain words: one sentence for each thing done and each thing expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwgen.board.modules import load_module_kind
from fwgen.board.quantities import QUANTITIES as QUANTITY
from fwgen.board.sensors import QUANTITIES
from fwgen.contract.accept import accepted, say_accepted
from fwgen.contract.sensing import UNIT_WORDS, VOLTAGE_UNITS
from fwgen.contract.subjects import Subject, find, fitted
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
    Window,
)
from fwgen.units import (
    PPM,
    PS_PER_MS,
    frequency_mhz,
    show_duration,
    show_frequency,
    show_ratio,
    show_resistance,
    show_voltage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fwgen.board.types import Board
    from fwgen.contract.types import Bound, Contract, Expectation, Step, Stimulus, Trigger


_LETTERS = {kind: kind.upper() for kind in ("led", "ldr", "ntc")}


def describe(contract: Contract, board: Board) -> list[str]:
    """One sentence for each part wired, each stimulus in order of time, each expectation."""
    board = fitted(board, contract)
    stimuli = sorted(contract.stimuli, key=lambda stimulus: stimulus.at_ps)
    said = [say(item, board) for item in (*stimuli, *contract.expectations)]
    return [*describe_wired(contract, board), *said]


def describe_wired(contract: Contract, board: Board) -> list[str]:
    """One sentence for each part that the contract wires to the board."""
    labels = {
        pin: label
        for header in reversed(list(board.headers.values()))
        for label, pin in header.items()
    }

    def at(pin: str) -> str:
        return f"{pin} ({labels[pin]})" if pin in labels else pin

    def roles(pins: Mapping[str, str]) -> str:
        return ", ".join(f"{role} at {at(pin)}" for role, pin in pins.items())

    said = [
        f"{part.name} is wired: {_a(part.title or _LETTERS.get(part.kind, part.kind))} "
        f"at {at(part.pin)}"
        for part in contract.parts
    ]
    for device in contract.devices:
        if device.kind == "wire":
            said.append(f"{device.name} joins {' and '.join(map(at, device.pins.values()))}")
        else:
            way = "up" if device.pull else "down"
            said.append(f"{device.name} pulls {at(device.pins['pin'])} {way}")
    for module in contract.modules:
        title = module.title or load_module_kind(module.kind).title
        address = "" if module.address is None else f", address {module.address:#04x}"
        said.append(f"{module.name} is wired: {_a(title)}, {roles(module.pins)}{address}")
    return said


def _a(thing: str) -> str:
    """The thing with its article: "an LED" is said so, "an LDR" too."""
    vowel = thing[:1].lower() in "aeiou" or re.match(r"[AEFHILMNORSX][A-Z]", thing) is not None
    return f"{'an' if vowel else 'a'} {thing}"


def describe_accepted(contract: Contract) -> list[str]:
    """One sentence for each thing that the contract accepts, with the reason."""
    return [say_accepted(one) for one in accepted(contract.accept)]


def say(item: Stimulus | Expectation, board: Board) -> str:
    """One stimulus or expectation as a maker would say it."""
    match item:
        case Press() | Drive() | Send():
            return _stimulus(item, board)
        case Analog():
            return _analog(item, board)
        case Sense() | Turn():
            return _acted(item, board)
        case Shows():
            return _shows(item, board)
        case Follows() | Responds() | Never() | Exclusive() | Replies():
            return _relation(item, board)
        case Says() | Asleep() | Quiet():
            return _whole(item, board)
        case Transfers():
            return _transfers(item)
        case _:
            return _signal(item, board)


def named(name: str, board: Board) -> Subject:
    """The subject of a name; a name that the board lacks is spoken of as a pin."""
    return find(name, board) or Subject(name)


def quoted(text: str) -> str:
    """Text between quotes, control characters escaped."""
    shown = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return f'"{shown}"'


def listed(names: Sequence[str], joint: str = "and") -> str:
    """Names in a row: "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {joint} {names[-1]}"


def moment(trigger: Trigger, board: Board) -> str:
    """A moment: "B1 is pressed", "the console says ..."."""
    subject = named(trigger.subject, board)
    if trigger.text is not None:
        return f"{subject.name} says {quoted(trigger.text)}"
    if trigger.edge is None:
        return f"{subject.name} is acted on"
    return f"{subject.name} {subject.turns(trigger.edge)}"


def _window(window: Window) -> str:
    if window.stop_ps is None:
        return f", from {show_duration(window.start_ps)} on" if window.start_ps else ""
    if not window.start_ps:
        return f", until {show_duration(window.stop_ps)}"
    return f", from {show_duration(window.start_ps)} to {show_duration(window.stop_ps)}"


def _stimulus(item: Press | Drive | Send, board: Board) -> str:
    at = f"At {show_duration(item.at_ps)}"
    match item:
        case Press():
            long = "for good" if item.hold_ps is None else f"for {show_duration(item.hold_ps)}"
            chatter = (
                f", its contact bouncing for {show_duration(item.bounce_ps)}"
                if item.bounce_ps
                else ""
            )
            subject = named(item.subject, board)
            what = item.subject if subject.part else f"a button from {item.subject} to ground"
            if subject.module is not None:
                what = f"{subject.item} of {subject.module.name}"
            return f"{at} {what} is pressed {long}{chatter}"
        case Drive(level=None):
            return f"{at} {item.subject} is left floating"
        case Drive():
            return f"{at} {item.subject} is driven {named(item.subject, board).word(item.level)}"
        case Send():
            text = quoted(item.data.decode("utf-8", "backslashreplace"))
            rate = f" at {item.baud} baud" if item.baud else ""
            return f"{at} {text} is sent to {item.subject}{rate}"


def _analog(item: Analog, board: Board) -> str:
    at = f"At {show_duration(item.at_ps)}"
    if not item.points:
        return f"{at} {item.subject} is left floating"
    over, last = item.points[-1]
    part = find(item.sensed.part, board) if item.sensed is not None else None
    if item.sensed is not None and part is not None and part.part is not None:
        show = QUANTITIES[part.part.kind].show
        name, start, stop = item.sensed.part, show(item.sensed.value), show(item.sensed.to)
    else:
        name, start, stop = item.subject, show_voltage(item.points[0][1], 7), show_voltage(last, 7)
    noise = _noisy(show_voltage(item.noise_uv), item) if item.noise_uv else ""
    if item.period_ps:
        swing = (
            f"a sine of {show_frequency(frequency_mhz(item.period_ps))}, "
            f"{show_voltage(item.amplitude_uv)} about {stop}"
        )
        text = f"{at} {name} is given {swing}"
    elif over:
        text = f"{at} {name} goes evenly from {start} to {stop} within {show_duration(over)}"
    else:
        text = f"{at} {name} is set to {stop}"
    source = f", through {show_resistance(item.ohm)}" if item.ohm and item.sensed is None else ""
    return text + source + noise


def _noisy(size: str, item: Analog | Sense) -> str:
    every = f", a new one every {show_duration(item.noise_ps)}" if item.noise_ps else ""
    return f", with a noise of {size} either way{every}"


def _acted(item: Sense | Turn, board: Board) -> str:
    at = f"At {show_duration(item.at_ps)}"
    if isinstance(item, Turn):
        count = abs(item.steps)
        steps = "1 step" if count == 1 else f"{count} steps"
        side = "right" if item.steps > 0 else "left"
        chatter = (
            f", its contacts bouncing for {show_duration(item.bounce_ps)}" if item.bounce_ps else ""
        )
        return (
            f"{at} {item.subject} is turned {steps} to the {side}, one every "
            f"{show_duration(item.step_ps)}{chatter}"
        )
    subject = named(item.subject, board)
    name = item.subject
    show: Callable[[int | str], str] = str
    if subject.module is not None:
        measure = load_module_kind(subject.module.kind).senses[subject.item]
        show = QUANTITY[measure.quantity].show
        name = f"the {subject.item} at {subject.module.name}"
    noise = _noisy(show(item.noise), item) if item.noise else ""
    if item.over_ps:
        return (
            f"{at} {name} goes evenly from {show(item.value)} to {show(item.to)} within "
            f"{show_duration(item.over_ps)}{noise}"
        )
    return f"{at} {name} is set to {show(item.to)}{noise}"


def value_words(item: Shows, value: int | str | None, board: Board) -> str:
    """A value of what a module shows, as people write it."""
    module = named(item.subject, board).module
    if value is None:
        return "nothing that can be told"
    measure = load_module_kind(module.kind).shows.get(item.what) if module is not None else None
    return str(value) if measure is None else QUANTITY[measure.quantity].show(value)


def shown_words(item: Shows, value: int | str | None, board: Board) -> str:
    """What a module shows, its value included."""
    words = value_words(item, value, board)
    return f"{words} lit pixels" if item.what == "lit" else f"the {item.what} {words}"


def corner_words(item: Shows) -> str:
    """Where in a display a picture is expected."""
    return "" if item.corner is None else f" with its corner at {item.corner[0]}, {item.corner[1]}"


def _shows(item: Shows, board: Board) -> str:
    give = ""
    if item.tolerance:
        per = isinstance(item.value, str)
        shown = f"{item.tolerance} per channel" if per else (
            value_words(item, item.tolerance, board)
        )  # fmt: skip
        give = f", give or take {shown}"
    what = shown_words(item, item.value, board)
    return (
        f"{item.subject} shows {what}{give}{corner_words(item)}, within "
        f"{show_duration(item.within_ps)}{_window(item.window)}"
    )


def _signal(item: Expectation, board: Board) -> str:
    match item:
        case Level():
            subject = named(item.subject, board)
            when = (
                f" at {show_duration(item.at_ps)}"
                if item.at_ps is not None
                else _window(item.window) or " all the time"
            )
            return f"{item.subject} is {subject.word(item.level)}{when}"
        case Blinks():
            return _blinks(item, board)
        case Pattern():
            often = "over and over" if item.repeat else "once"
            steps = ", ".join(step_words(step, board) for step in item.steps)
            names = listed(list(dict.fromkeys(n for s in item.steps for n, _ in s.levels)))
            return (
                f"{names} {'go' if ' ' in names else 'goes'} {often} through: {steps}, each within "
                f"{show_ratio(item.tolerance_ppm)}{_window(item.window)}"
            )
        case Counts():
            return f"{item.subject} shows {count_words(item, board)}{_window(item.window)}"
        case Pwm():
            ramp = f" rising to {show_ratio(item.to_duty_ppm)}" if item.to_duty_ppm else ""
            if item.to_duty_ppm is not None and item.to_duty_ppm < item.duty_ppm:
                ramp = f" falling to {show_ratio(item.to_duty_ppm)}"
            return (
                f"{item.subject} carries a PWM of {show_frequency(item.frequency_mhz)} within "
                f"{show_ratio(item.tolerance_ppm)}, {show_ratio(item.duty_ppm)} on{ramp}, give or "
                f"take {show_ratio(item.duty_tolerance_ppm)}{_window(item.window)}"
            )
        case Tone():
            return (
                f"{item.subject} sounds at {show_frequency(item.frequency_mhz)} within "
                f"{show_ratio(item.tolerance_ppm)}{_window(item.window)}"
            )
        case _:
            raise AssertionError(item)


def _blinks(item: Blinks, board: Board) -> str:
    subject = named(item.subject, board)
    each = f"each within {show_ratio(item.tolerance_ppm)}"
    if item.duty_ppm is None:
        shape = f"once every {show_duration(item.period_ps)}, {each}"
    else:
        on = item.period_ps * item.duty_ppm // PPM
        shape = (
            f"at {rate_words(item.period_ps)} ({show_duration(on)} {subject.word(1)}, "
            f"{show_duration(item.period_ps - on)} {subject.word(0)}), {each}"
        )
    extra = ""
    if item.phase is not None:
        extra += (
            f", {show_duration(item.phase.offset_ps)} after {item.phase.reference}"
            if item.phase.offset_ps
            else f", together with {item.phase.reference}"
        )
    if item.starts is not None:
        extra += f", beginning {subject.word(item.starts)}"
    if item.first_on_by_ps is not None:
        extra += f", first {subject.word(1)} by {show_duration(item.first_on_by_ps)}"
    return f"{item.subject} blinks {shape}{extra}{_window(item.window)}"


def show_hertz(mhz: int, digits: int = 5) -> str:
    """A frequency as makers say it: slow ones as parts of a hertz, never in millihertz."""
    return f"{mhz / 1000:.{digits}g} Hz" if 0 < mhz < 1000 else show_frequency(mhz, digits)


def rate_words(period_ps: int) -> str:
    """A rate as people say it: in hertz, or "once every ..." when slower than one."""
    if period_ps <= 1000 * PS_PER_MS:
        return show_frequency(frequency_mhz(period_ps))
    return f"{show_hertz(frequency_mhz(period_ps), 4)}, once every {show_duration(period_ps)}"


def step_words(step: Step, board: Board) -> str:
    """One step of a pattern: "LD2 on for 200 ms"."""
    levels = " ".join(f"{name} {named(name, board).word(level)}" for name, level in step.levels)
    long = "from then on" if step.duration_ps is None else f"for {show_duration(step.duration_ps)}"
    return f"{levels} {long}"


def count_words(item: Counts, board: Board) -> str:
    """How often a Counts wants what: "exactly 3 pulses"."""
    subject = named(item.subject, board)
    if item.what == "pulse":
        what = "pulses"
    elif item.what == "both":
        what = "changes"
    else:
        what = f"changes to {subject.word(1 if item.what == 'rising' else 0)}"
    if item.most == 0:
        return f"no {what}"
    if item.most == item.least:
        one = what.replace("changes", "change", 1).replace("pulses", "pulse", 1)
        return f"exactly {item.least} {one if item.least == 1 else what}"
    if item.most is None:
        return f"at least {item.least} {what}"
    return f"{item.least} to {item.most} {what}"


def _relation(item: Follows | Responds | Never | Exclusive | Replies, board: Board) -> str:
    match item:
        case Follows(above_uv=int(level)):
            side = "below" if item.invert else "above"
            subject = named(item.subject, board)
            return (
                f"{item.subject} is {subject.word(1)} while {item.source} is {side} "
                f"{show_voltage(level, 7)}, else {subject.word(0)}, within "
                f"{show_duration(item.latency_ps)}, give or take {show_voltage(item.band_uv)}"
                f"{_window(item.window)}"
            )
        case Follows():
            verb = "does the opposite of" if item.invert else "follows"
            return (
                f"{item.subject} {verb} {item.source} within {show_duration(item.latency_ps)}"
                f"{_window(item.window)}"
            )
        case Responds():
            early = f", not before {show_duration(item.after_ps)}" if item.after_ps else ""
            return (
                f"Each time {moment(item.trigger, board)}, {moment(item.response, board)} within "
                f"{show_duration(item.within_ps)}{early}{_window(item.window)}"
            )
        case Never():
            return f"It never happens that {moment(item.moment, board)}{_window(item.window)}"
        case Exclusive():
            return (
                f"No two of {listed(item.subjects)} are on at the same time{_window(item.window)}"
            )
        case Replies():
            return (
                f"After {quoted(item.text)} is sent to {item.port}, it says "
                f"{quoted(item.pattern)} within {show_duration(item.within_ps)}"
                f"{_bounds(item.bounds)}{_window(item.window)}"
            )


def _whole(item: Says | Asleep | Quiet, board: Board) -> str:
    match item:
        case Says():
            often = ""
            if item.times is not None:
                often = {1: " once", 2: " twice"}.get(item.times, f" {item.times} times")
                often = " never" if item.times == 0 else f" exactly{often}"
            if item.period_ps is not None:
                often += (
                    f" every {show_duration(item.period_ps)} within "
                    f"{show_ratio(item.tolerance_ppm)}"
                )
            first = (
                f", first by {show_duration(item.first_by_ps)}"
                if item.first_by_ps is not None
                else ""
            )
            rate = f" at {item.baud} baud" if item.baud else ""
            alone = ", and nothing else" if item.only else ""
            return (
                f"{item.port} says {quoted(item.pattern)}{often}{rate}{first}"
                f"{_bounds(item.bounds)}{alone}{_window(item.window)}"
            )
        case Asleep():
            return (
                f"The core sleeps at least {show_ratio(item.least_ppm)} of the time"
                f"{_window(item.window)}"
            )
        case Quiet():
            return f"No pin moves but {listed(item.but)}" if item.but else "No pin moves"


def hex_words(data: Sequence[int | None]) -> str:
    """Bytes as a contract writes them."""
    return " ".join("??" if byte is None else f"{byte:02x}" for byte in data)


def _transfers(item: Transfers) -> str:
    if item.address is not None:
        where = f" with {item.address:#04x}"
    else:
        where = f" while {item.select} is low" if item.select else ""
    if not item.answered:
        what = ", nobody answers"
    else:
        parts = [
            f"{verb} {hex_words(data) or 'nothing'}"
            for verb, data in (("writes", item.writes), ("reads", item.reads))
            if data is not None
        ]
        what = f" that {' and '.join(parts)}" if parts else ""
    if item.most == 0:
        often = "no transfer"
    elif item.most == item.least:
        often = f"exactly {item.least} transfer{'s' if item.least != 1 else ''}"
    elif item.most is None:
        often = f"at least {item.least} transfer{'s' if item.least != 1 else ''}"
    else:
        often = f"{item.least} to {item.most} transfers"
    return f"{item.port} makes {often}{where}{what}{_window(item.window)}"


def _bounds(bounds: tuple[tuple[str, Bound], ...]) -> str:
    return "".join(f", {name} {bound_words(bound)}" for name, bound in bounds)


def bound_words(bound: Bound) -> str:
    """What a captured number must be, as a phrase that follows its name."""
    parts = []
    if bound.first is not None:
        parts.append(f"starts at {bound.first}")
    if bound.step is not None:
        parts.append(f"grows by {bound.step}" if bound.step >= 0 else f"falls by {-bound.step}")
    if bound.least is not None and bound.most is not None:
        parts.append(f"is {bound.least} to {bound.most}")
    elif bound.least is not None:
        parts.append(f"is at least {bound.least}")
    elif bound.most is not None:
        parts.append(f"is at most {bound.most}")
    if bound.tracks is not None:
        slack = f" give or take {bound.slack}" if bound.slack else ""
        if bound.tracks.startswith("presses:"):
            parts.append(f"counts the presses of {bound.tracks.partition(':')[2]}{slack}")
        elif bound.tracks.partition(":")[0] in VOLTAGE_UNITS:
            unit, _, name = bound.tracks.partition(":")
            age = show_duration(bound.age_ps)
            parts.append(f"tells {UNIT_WORDS[unit]} {name} in the last {age}{slack}")
        else:
            unit = "milliseconds" if bound.tracks == "uptime_ms" else "seconds"
            parts.append(f"tells the {unit} since reset{slack}")
    return listed(parts) or "is any number"
