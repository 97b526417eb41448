"""Contracts to TOML that a person can read, change and keep in CI."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fwgen.board.board_file import PART_KINDS, SENSOR_KINDS
from fwgen.board.modules import load_module_kind
from fwgen.board.quantities import QUANTITIES as QUANTITY
from fwgen.contract.accept import accepted
from fwgen.contract.subjects import find, fitted
from fwgen.contract.types import (
    ALWAYS,
    USUAL_AGE_PS,
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
from fwgen.contract.words import hex_words, say
from fwgen.units import frequency_mhz, period_ps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fwgen.board.types import Board, Device, Module, Part
    from fwgen.contract.types import Bound, Contract, Expectation, Step, Stimulus, Trigger, Window

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_TURNS = {"rising": "on", "falling": "off", "both": "either"}
_COUNTED = {"rising": "on", "falling": "off", "both": "either", "pulse": "pulses"}

Pairs = list[tuple[str, str]]


def dump_contract(contract: Contract, board: Board | None = None) -> str:
    """The contract as TOML; the same contract, the same text.

    With the board at hand each table is headed by its sentence in plain words.
    """
    if board is not None:
        board = fitted(board, contract)
    made = [
        *_lines([
            ("title", _text(contract.title)),
            ("board", _text(contract.board)),
            ("span", _duration(contract.span_ps)),
        ]),
    ]  # fmt: skip
    if contract.prompt:
        made.append(f"prompt = {_text(contract.prompt)}")
    if contract.notes:
        made.append(f"notes = {_list(contract.notes)}")
    for one in accepted(contract.accept):
        made += ["", "[[accept]]", f"{one.what} = {_text(one.name)}"]
        made.append(f"because = {_text(one.because)}")
    for part in contract.parts:
        made += ["", f"[parts.{_key(part.name)}]", *_lines(_part(part))]
    for device in contract.devices:
        made += ["", f"[parts.{_key(device.name)}]", *_lines(_device(device))]
    for module in contract.modules:
        made += ["", f"[parts.{_key(module.name)}]", *_lines(_module(module))]
    modules = {module.name: module for module in contract.modules}
    parts = {part.name: part for part in contract.parts}
    if board is not None:
        modules |= board.modules
        parts |= board.parts
    for stimulus in contract.stimuli:
        made += ["", *_comment(stimulus, board), "[[do]]"]
        made += _lines(
            _sense(stimulus, modules) if isinstance(stimulus, Sense) else
            _analog(stimulus, parts) if isinstance(stimulus, Analog) else
            _stimulus(stimulus, board)
        )  # fmt: skip
    for expectation in contract.expectations:
        made += ["", *_comment(expectation, board), "[[expect]]"]
        made += _lines(
            _shows(expectation, modules) if isinstance(expectation, Shows) else
            _expectation(expectation, board)
        )  # fmt: skip
    return "\n".join(made) + "\n"


def _comment(item: Stimulus | Expectation, board: Board | None) -> list[str]:
    if board is None:
        return []
    # A control character would end the comment, or is not allowed in one.
    return ["# " + "".join(c if c.isprintable() else " " for c in say(item, board))]


def _lines(pairs: Pairs) -> list[str]:
    return [f"{key} = {value}" for key, value in pairs]


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes, and DEL, which JSON lets stand."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(_text(name) for name in names)}]"


def _inline(pairs: Pairs) -> str:
    return "{ " + ", ".join(f"{_key(key)} = {value}" for key, value in pairs) + " }"


# ---------------------------------------------------------------------------- quantities


def _exact(value: int, units: Sequence[tuple[int, str]]) -> str:
    """A quantity to its last digit, in the largest unit that it holds one of."""
    scale, unit = next(((s, u) for s, u in units if value >= s), units[-1])
    whole, rest = divmod(value, scale)
    digits = f"{rest:0{len(str(scale)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}{'.' if digits else ''}{digits} {unit}"


def _duration(ps: int) -> str:
    if ps == 0:
        return '"0 s"'
    units = ((10**12, "s"), (10**9, "ms"), (10**6, "us"), (10**3, "ns"), (1, "ps"))
    return f'"{_exact(ps, units)}"'


def _frequency(mhz: int) -> str:
    return f'"{_exact(mhz, ((10**9, "MHz"), (10**6, "kHz"), (10**3, "Hz"), (1, "mHz")))}"'


def _voltage(uv: int) -> str:
    return f'"{_exact(uv, ((10**6, "V"), (10**3, "mV"), (1, "uV")))}"'


def _part(part: Part) -> Pairs:
    """A part on one pin."""
    made: Pairs
    if part.sensor is None:
        active, further = PART_KINDS[part.kind]
        made = [("kind", _text(part.kind)), ("pin", _text(part.pin))]
        made.append((active, '"high"' if part.active else '"low"'))
        if part.pull is not None:
            made.append(("pull", '"up"' if part.pull else '"down"'))
        if part.colour is not None and "colour" in further:
            made.append(("colour", _text(part.colour)))
        return made + ([("title", _text(part.title))] if part.title else [])
    sensor, (resistance, curve) = part.sensor, SENSOR_KINDS[part.kind]
    made = [("kind", _text(part.kind)), ("pin", _text(part.pin))]
    made.append((resistance, f'"{sensor.ohm} ohm"'))
    if curve:
        value = str(sensor.curve) if part.kind == "ntc" else f"{sensor.curve / 1000:g}"
        made += [(curve, value), ("fixed", f'"{sensor.fixed_ohm} ohm"')]
        made.append(("to", '"supply"' if sensor.to_supply else '"ground"'))
    made.append(("rests", _quantity(part.kind, sensor.rests)))
    return made + ([("title", _text(part.title))] if part.title else [])


def _module(module: Module) -> Pairs:
    kind = load_module_kind(module.kind)
    made: Pairs = [("kind", _text(module.kind))]
    made += [(key, _text(pin)) for key, pin in module.pins.items()]
    for key, measure in kind.measures(module.bus).items():
        value = module.settings.get(key, measure.rests)
        if value == measure.rests:
            continue
        whole = measure.quantity in ("count", "address")
        text = QUANTITY[measure.quantity].exact(value)
        made.append((key, text if whole else _text(text)))
    return made + ([("title", _text(module.title))] if module.title else [])


def _shows(e: Shows, modules: Mapping[str, Module]) -> Pairs:
    module, quantity = modules.get(e.subject), ""
    if module is not None:
        quantity = load_module_kind(module.kind).shows[e.what].quantity
    if quantity == "picture":
        value, give = f"'''\n{e.value}\n'''", ""
    elif isinstance(e.value, str):
        value, give = _text(e.value), str(e.tolerance)
    elif quantity in ("", "count"):
        value, give = str(e.value), str(e.tolerance)
    else:
        exact = QUANTITY[quantity].exact
        value, give = _text(exact(e.value)), _text(exact(e.tolerance))
    at = [] if e.corner is None else [("at", str(list(e.corner)))]
    made: Pairs = [("shows", _inline([("part", _text(e.subject)), (e.what, value), *at]))]
    if quantity not in ("text", "word", "count", "picture"):
        made.append(("tolerance", give))
    return [*made, ("within", _duration(e.within_ps)), *_window(e.window)]


def _sense(item: Sense, modules: Mapping[str, Module]) -> Pairs:
    name, _, what = item.subject.partition(".")
    exact: Callable[[int | str], str] = str
    if name in modules:
        exact = QUANTITY[load_module_kind(modules[name].kind).senses[what].quantity].exact
    at, to = ("at", _duration(item.at_ps)), ("to", _text(exact(item.to)))
    more = _if("noise", item.noise, 0, _text(exact(item.noise)))
    more += _seeded(item)
    if item.over_ps:
        ends = [("from", _text(exact(item.value))), to, ("over", _duration(item.over_ps))]
        return [("ramp", _text(item.subject)), at, *ends, *more]
    return [("set", _text(item.subject)), at, to, *more]


def _seeded(item: Sense | Analog) -> Pairs:
    """What kind of noise it is."""
    made = _if("seed", item.seed, 0, str(item.seed))
    return made + _if("noise_every", item.noise_ps, 0, _duration(item.noise_ps))


def _quantity(kind: str, value: int) -> str:
    """What a part senses, to its last digit."""
    if kind == "potentiometer":
        return _ratio(value)
    sign, unit = "-" if value < 0 else "", {"ntc": "°C", "ldr": "lx"}[kind]
    return f'"{sign}{_exact(abs(value), ((1000, unit),))}"'


def _ratio(ppm: int) -> str:
    return f'"{_exact(ppm, ((10_000, "%"),))}"'


def _level(name: str, level: int, board: Board | None) -> str:
    subject = find(name, board) if board is not None else None
    if subject is None:
        return '"on"' if level else '"off"'
    return _text(subject.word(level))


def _window(window: Window) -> Pairs:
    made: Pairs = []
    if window.start_ps != ALWAYS.start_ps:
        made.append(("from", _duration(window.start_ps)))
    if window.stop_ps is not None:
        made.append(("until", _duration(window.stop_ps)))
    return made


def _if(key: str, value: int | None, default: int | None, shown: str) -> Pairs:
    return [] if value == default else [(key, shown)]


def _optional(key: str, ps: int | None) -> Pairs:
    return [] if ps is None else [(key, _duration(ps))]


# ---------------------------------------------------------------------------- tables


def _stimulus(item: Stimulus, board: Board | None) -> Pairs:
    at = ("at", _duration(item.at_ps))
    match item:
        case Press():
            bounce = _if("bounce", item.bounce_ps, 0, _duration(item.bounce_ps))
            return [("press", _text(item.subject)), at, *_optional("for", item.hold_ps), *bounce]
        case Drive():
            to = '"floating"' if item.level is None else _level(item.subject, item.level, board)
            return [("drive", _text(item.subject)), at, ("to", to)]
        case Analog() | Sense():
            raise AssertionError(item)
        case Turn():
            bounce = _if("bounce", item.bounce_ps, 0, _duration(item.bounce_ps))
            every = ("every", _duration(item.step_ps))
            return [("turn", _text(item.subject)), at, ("steps", str(item.steps)), every, *bounce]
        case Send():
            baud: Pairs = [] if item.baud is None else [("baud", str(item.baud))]
            return [_sent(item.data), ("to", _text(item.subject)), at, *baud]


def _analog(item: Analog, parts: Mapping[str, Part]) -> Pairs:
    at, name = ("at", _duration(item.at_ps)), _text(item.subject)
    noise = _if("noise", item.noise_uv, 0, _voltage(item.noise_uv)) + _seeded(item)
    ohm = _if("impedance", item.ohm, 0, f'"{item.ohm} ohm"')
    if not item.points:
        return [("set", name), at, ("to", '"floating"')]
    over, last = item.points[-1]
    first, stop = _voltage(item.points[0][1]), _voltage(last)
    sensed = item.sensed
    part = parts.get(sensed.part) if sensed is not None else None
    if sensed is not None and part is not None:
        name, ohm = _text(sensed.part), []
        first, stop = _quantity(part.kind, sensed.value), _quantity(part.kind, sensed.to)
    if item.period_ps:
        shape = [("offset", stop), ("amplitude", _voltage(item.amplitude_uv))]
        rate = frequency_mhz(item.period_ps)
        exact = rate > 0 and period_ps(rate) == item.period_ps
        shape += [
            ("frequency", _frequency(rate)) if exact else ("period", _duration(item.period_ps))
        ]
        return [("sine", name), at, *shape, *noise, *ohm]
    if over:
        ends = [("from", first), ("to", stop), ("over", _duration(over))]
        return [("ramp", name), at, *ends, *noise, *ohm]
    return [("set", name), at, ("to", stop), *noise, *ohm]


def _sent(data: bytes) -> tuple[str, str]:
    try:
        return "send", _text(data.decode("utf-8"))
    except UnicodeDecodeError:
        return "send_hex", _text(data.hex(" "))


def _expectation(e: Expectation, board: Board | None) -> Pairs:
    match e:
        case Level():
            is_ = ("is", _level(e.subject, e.level, board))
            return [("level", _text(e.subject)), is_, *_optional("at", e.at_ps), *_when(e)]
        case Blinks():
            return _blinks(e, board)
        case Pattern():
            return _pattern(e, board)
        case Counts():
            bounds: Pairs = [("exactly", str(e.least))]
            if e.least != e.most:
                most = [] if e.most is None else [("most", str(e.most))]
                bounds = [("least", str(e.least)), *most]
            what = ("what", _text(_COUNTED[e.what]))
            return [("counts", _text(e.subject)), what, *bounds, *_window(e.window)]
        case Pwm():
            ramp: Pairs = [] if e.to_duty_ppm is None else [("to_duty", _ratio(e.to_duty_ppm))]
            return [
                ("pwm", _text(e.subject)),
                ("frequency", _frequency(e.frequency_mhz)),
                ("duty", _ratio(e.duty_ppm)),
                *ramp,
                ("tolerance", _ratio(e.tolerance_ppm)),
                ("duty_tolerance", _ratio(e.duty_tolerance_ppm)),
                *_window(e.window),
            ]
        case Tone():
            return [
                ("tone", _text(e.subject)),
                ("frequency", _frequency(e.frequency_mhz)),
                ("tolerance", _ratio(e.tolerance_ppm)),
                *_window(e.window),
            ]
        case Follows():
            return [
                ("inverts" if e.invert else "follows", _text(e.subject)),
                ("source", _text(e.source)),
                *_above(e),
                ("within", _duration(e.latency_ps)),
                *_window(e.window),
            ]
        case Responds():
            return [
                ("when", _trigger(e.trigger)),
                ("then", _trigger(e.response)),
                ("within", _duration(e.within_ps)),
                *_if("not_before", e.after_ps, 0, _duration(e.after_ps)),
                *_window(e.window),
            ]
        case Never():
            return [("never", _trigger(e.moment)), *_window(e.window)]
        case Exclusive():
            return [("exclusive", _list(e.subjects)), *_window(e.window)]
        case Says():
            return _says(e)
        case Replies():
            return [
                ("replies", _text(e.pattern)),
                ("to", _text(e.text)),
                ("port", _text(e.port)),
                ("within", _duration(e.within_ps)),
                *_numbers(e.bounds),
                *_window(e.window),
            ]
        case Shows():
            raise AssertionError(e)
        case Transfers():
            return _transfers(e)
        case Asleep():
            return [("asleep", _ratio(e.least_ppm)), *_window(e.window)]
        case Quiet():
            return [("quiet", "true"), *([("but", _list(e.but))] if e.but else [])]


def _above(e: Follows) -> Pairs:
    if e.above_uv is None:
        return []
    return [("above", _voltage(e.above_uv)), ("band", _voltage(e.band_uv))]


def _when(e: Level) -> Pairs:
    return [] if e.at_ps is not None else _window(e.window)


def _blinks(e: Blinks, board: Board | None) -> Pairs:
    rate = frequency_mhz(e.period_ps)
    shown = _frequency(rate)
    as_rate = rate >= 1000 and period_ps(rate) == e.period_ps and len(shown) < 12
    made: Pairs = [("blinks", _text(e.subject))]
    made += [("rate", shown) if as_rate else ("period", _duration(e.period_ps))]
    made += [("duty", '"any"' if e.duty_ppm is None else _ratio(e.duty_ppm))]
    made += [("tolerance", _ratio(e.tolerance_ppm))]
    if e.phase is not None:
        after = ("after", _duration(e.phase.offset_ps))
        made.append(("phase", _inline([("of", _text(e.phase.reference)), after])))
    if e.starts is not None:
        made.append(("starts", _level(e.subject, e.starts, board)))
    return [*made, *_optional("first_on_by", e.first_on_by_ps), *_window(e.window)]


def _pattern(e: Pattern, board: Board | None) -> Pairs:
    names = list(dict.fromkeys(name for step in e.steps for name, _ in step.levels))
    single = len(names) == 1 and all(len(step.levels) == 1 for step in e.steps)
    steps = "".join(f"    {_step(step, board, single=single)},\n" for step in e.steps)
    return [
        ("pattern", _list(names)),
        ("steps", f"[\n{steps}]"),
        ("repeat", "true" if e.repeat else "false"),
        ("tolerance", _ratio(e.tolerance_ppm)),
        ("start_within", _duration(e.start_within_ps)),
        *_window(e.window),
    ]


def _step(step: Step, board: Board | None, *, single: bool) -> str:
    lasts = "" if step.duration_ps is None else _duration(step.duration_ps)
    if single:
        word = _level(*step.levels[0], board).strip('"')
        return _text(f"{word} {lasts.strip(chr(34))}".strip())
    levels = [(name, _level(name, level, board)) for name, level in step.levels]
    return _inline([*levels, *([("for", lasts)] if lasts else [])])


def _trigger(trigger: Trigger) -> str:
    made: Pairs = [("of", _text(trigger.subject))]
    if trigger.edge is not None:
        made.append(("turns", _text(_TURNS[trigger.edge])))
    if trigger.text is not None:
        made.append(("says", _text(trigger.text)))
    return _inline(made)


def _says(e: Says) -> Pairs:
    made: Pairs = [("says", _text(e.pattern)), ("port", _text(e.port))]
    if e.period_ps is not None:
        made.append(("every", _duration(e.period_ps)))
    made.append(("tolerance", _ratio(e.tolerance_ppm)))
    if e.times is not None:
        made.append(("times", str(e.times)))
    if e.baud is not None:
        made.append(("baud", str(e.baud)))
    made.append(("only", "true" if e.only else "false"))
    made += _optional("first_by", e.first_by_ps)
    return [*made, *_numbers(e.bounds), *_window(e.window)]


def _device(device: Device) -> Pairs:
    made: Pairs = [("kind", _text(device.kind))]
    if device.kind == "wire":
        made.append(("pins", _list(device.pins.values())))
    else:
        made += [(key, _text(pin)) for key, pin in device.pins.items()]
    if device.pull is not None:
        made.append(("pull", '"up"' if device.pull else '"down"'))
    return [*made, *([("title", _text(device.title))] if device.title else [])]


def _transfers(e: Transfers) -> Pairs:
    made: Pairs = [("transfer", _text(e.port))]
    if e.address is not None:
        made.append(("address", f"{e.address:#04x}"))
    if e.select is not None:
        made.append(("select", _text(e.select)))
    for key, data in (("writes", e.writes), ("reads", e.reads)):
        if data is not None:
            made.append((key, _text(hex_words(data))))
    if not e.answered:
        made.append(("answered", "false"))
    if e.least == e.most:
        made.append(("times", str(e.least)))
    else:
        made.append(("least", str(e.least)))
        made += [] if e.most is None else [("most", str(e.most))]
    return [*made, *_window(e.window)]


def _numbers(bounds: tuple[tuple[str, Bound], ...]) -> Pairs:
    return [(f"numbers.{_key(name)}", _bound(bound)) for name, bound in bounds]


def _bound(bound: Bound) -> str:
    made: Pairs = [
        (key, str(value))
        for key, value in (
            ("least", bound.least),
            ("most", bound.most),
            ("first", bound.first),
            ("step", bound.step),
        )
        if value is not None
    ]
    if bound.tracks is not None:
        made.append(("tracks", _text(bound.tracks)))
    if bound.slack:
        made.append(("slack", str(bound.slack)))
    if bound.age_ps != USUAL_AGE_PS:
        made.append(("age", _duration(bound.age_ps)))
    return _inline(made) if made else "{}"
