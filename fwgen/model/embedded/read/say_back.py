"""A Program in plain words: what was understood, one phrase a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.model.embedded.behaviour import (
    AtBoot,
    Count,
    Follow,
    OnEdge,
    Play,
    Presses,
    Put,
    Say,
    State,
    Step,
    Uptime,
)
from fwgen.units import frequency_mhz, show_duration, show_frequency

if TYPE_CHECKING:
    from fwgen.model.embedded.behaviour import Line, Part, Program, Rule


def say_back(program: Program) -> tuple[str, ...]:
    """One phrase for each rule, with its times in figures."""
    return tuple(_rule(rule) for rule in program.rules)


def _rule(rule: Rule) -> str:
    said = _action(rule)
    match rule.start:
        case AtBoot(0):
            pass
        case AtBoot(after):
            said += f", from {show_duration(after)} after reset"
        case OnEdge(source, pressed, after):
            what = "pressed" if pressed else "released"
            said += f" each time {source.name} is {what}"
            if after:
                said += f", {show_duration(after)} later"
    if rule.stop_ps is not None:
        said += f", for {show_duration(rule.stop_ps)}"
    if rule.gate is not None:
        said += f", only while {rule.gate.source.name} is {'not ' * rule.gate.invert}held"
    return said


def _action(rule: Rule) -> str:
    match rule.action:
        case Play(steps, times):
            return _play(rule.action, steps, times)
        case Put(line, level):
            return f"{line.name} toggles" if level == "toggle" else f"{line.name} goes {level}"
        case Follow(line, source, invert):
            return f"{line.name} is {'off' if invert else 'on'} while {source.name} is held"
        case Say(port, parts, baud):
            said = f"{port} says {''.join(_part(p) for p in parts)!r} at {baud} baud"
            if rule.every_ps is not None:
                return f"{said} every {show_duration(rule.every_ps)}"
            return said + (" once" if isinstance(rule.start, AtBoot) else "")


def _play(play: Play, steps: tuple[Step, ...], times: int | None) -> str:
    names = _names(play.lines)
    count = "" if times is None else " once" if times == 1 else f" {times} times"
    blink = len(steps) == 2 and all(len(set(dict(s.levels).values())) == 1 for s in steps)
    if blink and len(play.lines) == len(steps[0].levels):
        on, off = sorted(steps, key=lambda s: -s.levels[0][1])
        rate = show_frequency(frequency_mhz(play.period_ps))
        verb = "blinks" if len(play.lines) == 1 else "blink"
        return (
            f"{names} {verb}{count} at {rate}: {show_duration(on.duration_ps)} on, "
            f"{show_duration(off.duration_ps)} off"
        )
    shown = [f"{_lit(step)} {show_duration(step.duration_ps)}" for step in steps[:8]]
    more = f", … {len(steps)} steps of {show_duration(play.period_ps)} in all" * (len(steps) > 8)
    again = count or ", over and over"
    return f"{names}: {', '.join(shown)}{more}{again}"


def _lit(step: Step) -> str:
    if len(step.levels) == 1:
        return "on" if step.levels[0][1] else "off"
    lit = [line.name for line, level in step.levels if level]
    return "+".join(lit) if lit else "all off"


def _names(lines: tuple[Line, ...]) -> str:
    names = [line.name for line in lines]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _part(part: Part) -> str:
    match part:
        case str():
            return part
        case Count(first, step):
            return f"{{count from {first}}}" if step == 1 else f"{{count from {first} by {step}}}"
        case Uptime(unit):
            return f"{{uptime in {unit}}}"
        case Presses(source):
            return f"{{presses of {source.name}}}"
        case State(line, on, off):
            return f"{{{line.name}: {on}/{off}}}"
