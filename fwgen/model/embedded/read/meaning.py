"""From a parsed sentence to a Program: what each clause means, and what does not go together.

Every modifier must be used by its clause's action; one that is not is refused by its words.
What the sentence left open and was filled in is told as an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, NoReturn, TypeVar

from fwgen.board.pinmap import pin_uses
from fwgen.errors import PromptError
from fwgen.model.embedded.behaviour import (
    AtBoot,
    Count,
    Follow,
    Held,
    Line,
    OnEdge,
    Part,
    Play,
    Presses,
    Program,
    Put,
    Rule,
    Say,
    State,
    Step,
    Uptime,
)
from fwgen.model.embedded.read.morse import morse
from fwgen.units import PS_PER_MS, PS_PER_S, show_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board
    from fwgen.board.types import Part as BoardPart
    from fwgen.model.embedded.read.parser import Node
    from fwgen.model.embedded.read.words import Vocabulary

T = TypeVar("T")

MS = PS_PER_MS
SECOND = PS_PER_S
BLINK_PS = SECOND  # a blink whose rate is not said
FLASH_PS = 400 * MS  # "three blinks every 5 s": one blink of the group
DOT_PS = 100 * MS
CHASE_PS = 100 * MS
LAMPS_PS = {"red": 5 * SECOND, "green": 5 * SECOND, "yellow": 2 * SECOND}


@dataclass(slots=True)
class Clause:
    """One clause: its action, the modifiers not yet used, and its words."""

    action: Node
    mods: dict[str, Node]
    leading: frozenset[str]  # modifiers that stand before the action
    text: str
    after_then: bool
    new_sentence: bool
    base_ps: int = 0  # when a "then" clause begins
    inherited: Node | None = None  # the event of the clause that it shares one with

    def take(self, name: str) -> Node | None:
        """Use a modifier, if it is there."""
        return self.mods.pop(name, None)


@dataclass(slots=True)
class Meaning:
    """What a sentence means, and what it left open."""

    program: Program
    assumptions: list[str] = field(default_factory=list)


class Interpreter:
    """Turns the tree of one sentence into rules for one board."""

    def __init__(self, sentence: str, vocabulary: Vocabulary, board: Board) -> None:
        self.sentence = sentence
        self.words = vocabulary
        self.board = board
        self.rules: list[Rule] = []
        self.assumptions: list[str] = []
        self.outputs: tuple[Line, ...] = ()  # what "it" means
        self.button: Line | None = None  # what "it" means in "when it is released"
        self.counted: Line | None = None  # the button whose presses are counted
        self.last_action = ""
        self.last_end: int | None = 0  # when the last clause is over; None: never
        self.last_start = 0
        self.last_made = 0  # how many rules the last clause made

    # ------------------------------------------------------------------ the whole

    def program(self, tree: Node) -> Meaning:
        """The meaning of a whole sentence. Raises PromptError."""
        clauses = self._clauses(tree)
        self._share_events(clauses)
        for clause in clauses:
            self._clause(clause)
        self._check_lines()
        self._check_counts(clauses)
        rules = tuple(self.rules)
        return Meaning(Program(rules, self.sentence), self.assumptions)

    def _clauses(self, tree: Node) -> list[Clause]:
        clauses = []
        then = fresh = False
        for kid in tree.kids:
            if kid.name == "join":
                then = then or kid.first("THEN") is not None
                fresh = kid.first("SEMI") is not None
                continue
            if kid.name != "clause":
                continue
            action = next(k for k in kid.kids if k.name == "action").kids[0]
            mods: dict[str, Node] = {}
            leading = set()
            for mod in (k.kids[0] for k in kid.kids if k.name in ("modifier", "waited")):
                if mod.name in mods:
                    self._refuse(mod, "this says the same kind of thing twice in one clause")
                mods[mod.name] = mod
                if mod.start < action.start:
                    leading.add(mod.name)
            # A rate or repetition may stand inside the action ("blink at 2 Hz on D7").
            for inner in action.all("rate", "every", "onoff_time"):
                if action.name != "chaser":
                    mods.setdefault(inner.name, inner)
            text = self.words.text(kid.start, kid.end, self.sentence)
            clauses.append(Clause(action, mods, frozenset(leading), text, then, fresh))
            fresh = False
            then = action.name == "pause"  # what follows a pause comes after it
        return clauses

    def _share_events(self, clauses: list[Clause]) -> None:
        """Let "when pressed, toggle A and print x" and "toggle A and print x on press" share."""
        timing = ("event", "held", "every", "rate", "delay", "boot")
        shared: Node | None = None
        for clause in clauses:
            if clause.new_sentence or clause.after_then:
                shared = None
            if "event" in clause.leading:
                shared = clause.mods["event"]
            elif shared is not None and not any(k in clause.mods for k in timing):
                clause.inherited = shared
            else:
                shared = None
        for clause, following in zip(clauses[-2::-1], clauses[:0:-1], strict=True):
            event = following.inherited or following.mods.get("event")
            if event is None or "event" in following.leading or following.new_sentence:
                continue
            if following.after_then or any(k in clause.mods for k in timing):
                continue
            if clause.inherited is None and clause.action.name in ("toggle", "print", "again"):
                clause.inherited = event

    def _clause(self, clause: Clause) -> None:
        if clause.after_then:
            if self.last_end is None and "delay" in clause.mods:
                self._end_last(clause)
            if self.last_end is None and self.last_action not in ("put", "print"):
                self._refuse(
                    clause.action,
                    f"what comes before {clause.text!r} never ends, so nothing can come 'then'",
                    hint='say how long it lasts: "blink LED at 2 Hz for 5 seconds, then ..."',
                )
            clause.base_ps = self.last_start if self.last_end is None else self.last_end
        handlers: dict[str, Callable[[Clause], list[Rule]]] = {
            "blink": self._blink, "again": self._again, "pulse": self._pulse,
            "toggle": self._toggle, "put": self._put, "steps": self._steps,
            "morse": self._morse, "traffic": self._traffic, "chaser": self._chaser,
            "follow": self._follow, "invert": self._follow, "presscount": self._presscount,
            "print": self._print, "swap": self._swap, "pause": self._pause, "loop": self._loop,
            "halt": lambda clause: [],
        }  # fmt: skip
        made = handlers[clause.action.name](clause)
        for name, node in clause.mods.items():
            said = self.words.text(node.start, node.end, self.sentence)
            self._refuse(node, f"{said!r} does not go with {clause.text!r} ({name})")
        self.rules += [replace(rule, clause=rule.clause or clause.text) for rule in made]
        if clause.action.name not in ("again", "pause"):
            self.last_action = clause.action.name
        if clause.action.name == "pause" and not made:
            return
        self.last_made = len(made)
        self._remember_end(made)

    def _end_last(self, clause: Clause) -> None:
        """End what came before: "blink at 1 Hz, then after 10 s at 2 Hz"."""
        made = self.rules[len(self.rules) - self.last_made :]
        if all(isinstance(r.start, AtBoot) and isinstance(r.action, Play) for r in made):
            after = self._duration(self._need(clause.take("delay"), "duration"))
            ended = [replace(rule, stop_ps=after) for rule in made]
            self.rules[len(self.rules) - self.last_made :] = ended
            self._remember_end(ended)

    def _pause(self, clause: Clause) -> list[Rule]:
        """What comes next comes so much later."""
        base = self.last_start if self.last_end is None else self.last_end
        self.last_start = base + self._duration(self._need(clause.action, "duration"))
        self.last_end = self.last_start
        return self._loop(clause) if clause.take("repeat") is not None else []

    def _loop(self, clause: Clause) -> list[Rule]:
        """Everything said so far, over and over: one Play of all its lines."""
        end = self.last_end
        if end is None:
            self._refuse(
                clause.action,
                "it is not said how long one round takes",
                hint='end it with a pause: "..., wait 1 second, repeat"',
            )
        changes: dict[int, dict[Line, int]] = {0: {}}
        for rule in self.rules:
            if not isinstance(rule.start, AtBoot) or rule.gate or isinstance(rule.action, Say):
                self._refuse(clause.action, f"{rule.clause!r} cannot be part of what is repeated")
            at = rule.start.after_ps
            match rule.action:
                case Put(line, level) if level != "toggle":
                    changes.setdefault(at, {})[line] = int(level == "on")
                    if rule.stop_ps is not None:
                        changes.setdefault(at + rule.stop_ps, {})[line] = 0
                case Play(steps, times) as play if times is not None or rule.stop_ps is not None:
                    stop = at + (rule.stop_ps or play.period_ps * (times or 1))
                    while at < stop:
                        for step in steps:
                            if at < stop:
                                changes.setdefault(at, {}).update(dict(step.levels))
                            at += step.duration_ps
                    changes.setdefault(stop, {}).update(dict.fromkeys(play.lines, 0))
                case _:
                    said = f"{rule.clause!r} cannot be part of what is repeated"
                    self._refuse(clause.action, said)
        lines = tuple(dict.fromkeys(x for put in changes.values() for x in put))
        times_at = sorted(t for t in changes if t < end)
        levels = dict.fromkeys(lines, 0)
        for put in changes.values():  # what the last round left
            levels.update(put)
        levels |= changes.get(end, {})
        played = []
        for at, after in zip(times_at, [*times_at[1:], end], strict=True):
            levels = {**levels, **changes[at]}
            played.append(Step(tuple(levels.items()), after - at))
        clauses = ", ".join(dict.fromkeys(rule.clause for rule in self.rules))
        self.rules.clear()
        return [Rule(Play(tuple(played)), clause=f"{clauses}, {clause.text}")]

    def _swap(self, clause: Clause) -> list[Rule]:
        """One output after the other, in turn."""
        lines = self.outputs = self._outputs(clause.action.first("outputs"))
        if len(lines) < 2:
            self._refuse(clause.action, "alternating needs two outputs or more")
        rate, every = clause.take("rate"), clause.take("every")
        clause.take("repeat")
        if every is not None:
            each = self._interval(every)
        elif rate is not None:
            each = self._period(rate) // len(lines)
        else:
            each = BLINK_PS // 2
            self.assumptions.append(f"each is on for {show_duration(each)}")
        steps = tuple(Step(tuple((x, int(x is lit)) for x in lines), each) for lit in lines)
        return self._played(clause, steps, None)

    def _remember_end(self, made: list[Rule]) -> None:
        starts = [r.start.after_ps for r in made if isinstance(r.start, AtBoot)]
        self.last_start = max(starts, default=0)
        ends: list[int | None] = []
        for rule in made:
            if not isinstance(rule.start, AtBoot):
                ends.append(None)
            elif rule.stop_ps is not None:
                ends.append(rule.start.after_ps + rule.stop_ps)
            elif isinstance(rule.action, Play) and rule.action.times is not None:
                length = rule.action.period_ps * rule.action.times
                ends.append(rule.start.after_ps + length)
            elif isinstance(rule.action, Say) and rule.every_ps is None:
                ends.append(rule.start.after_ps)
            else:
                ends.append(None)
        known = [e for e in ends if e is not None]
        self.last_end = max(known) if ends and len(known) == len(ends) else None

    def _check_lines(self) -> None:
        """Refuse two rules that drive one line at the same time."""
        owners: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for line in lines_of(rule):
                for other in owners.get(line.pin, ()):
                    if _together(rule, other):
                        raise PromptError(
                            f"{line.name} cannot both {_short(other)} and {_short(rule)}",
                            words=(other.clause, rule.clause),
                            hint='say when each holds: "for 5 seconds, then ...", or "while held"',
                        )
                owners.setdefault(line.pin, []).append(rule)
            for source in sources_of(rule):
                if any(source.pin == line.pin for r in self.rules for line in lines_of(r)):
                    raise PromptError(
                        f"{source.name} is used both as a button and as an output",
                        words=(rule.clause,),
                        hint="use another pin for one of them",
                    )

    def _check_counts(self, clauses: list[Clause]) -> None:
        """Refuse counting that nobody ever sees."""
        shown = {
            part.source.pin
            for rule in self.rules
            if isinstance(rule.action, Say)
            for part in rule.action.parts
            if isinstance(part, Presses)
        }
        for clause in clauses:
            if clause.action.name == "presscount":
                source = self._button(clause.action.first("button"))
                if source.pin not in shown:
                    self._refuse(
                        clause.action,
                        "the count would never be seen",
                        hint='add where it shows: "... and print the count"',
                    )

    # ------------------------------------------------------------------ light

    def _blink(self, clause: Clause) -> list[Rule]:
        return self._blinking(clause, self._lines(clause))

    def _again(self, clause: Clause) -> list[Rule]:
        """More outputs for the verb before: "... and D7 at 3 Hz"."""
        lines = self._lines(clause)
        match self.last_action:
            case "blink":
                return self._blinking(clause, lines)
            case "toggle":
                return self._toggling(clause, lines)
            case "pulse":
                return self._pulsing(clause, lines)
            case _:
                self._refuse(clause.action, "it is not said what this should do")

    def _blinking(self, clause: Clause, lines: tuple[Line, ...]) -> list[Rule]:
        self.outputs = lines
        on_off = clause.take("onoff_time")
        rate, every, times = clause.take("rate"), clause.take("every"), clause.take("times")
        duty, alternate = clause.take("duty"), clause.take("alternate")
        opposite = clause.take("opposite")
        clause.take("together")
        clause.take("repeat")
        if on_off is not None:
            if rate or every or duty:
                self._refuse(on_off, "on and off times already set the rate and the duty")
            on_ps, off_ps = (self._duration(d) for d in on_off.all("duration"))
            if self._off_first(on_off):
                on_ps, off_ps = off_ps, on_ps
            period = on_ps + off_ps
        elif opposite is not None and not (rate or every):
            return self._opposite(clause, lines, opposite, None)
        else:
            if rate is not None:
                period = self._period(rate)
            elif every is not None and times is None:
                period, every = self._interval(every), None
            elif times is not None and every is not None:
                n = self._times(times) or 1
                period = min(FLASH_PS, self._interval(every) // (n + 1))
                self.assumptions.append(f"each blink lasts {show_duration(period)}, half of it on")
            else:
                period = BLINK_PS
                self.assumptions.append("no rate was given: it blinks at 1 Hz")
            ppm = 500_000 if duty is None else self._percent(duty)
            on_ps = period * ppm // 1_000_000
            off_ps = period - on_ps
        if every is not None and times is None:
            self._refuse(every, "two rates in one clause")
        on = tuple((line, 1) for line in lines)
        off = tuple((line, 0) for line in lines)
        if alternate is not None:
            if len(lines) < 2:
                self._refuse(alternate, "alternating needs two outputs or more")
            if len(lines) == 2:
                one, two = lines
                steps = [Step(((one, 1), (two, 0)), on_ps), Step(((one, 0), (two, 1)), off_ps)]
            else:
                steps = [
                    Step(tuple((line, int(line is lit)) for line in lines), period // len(lines))
                    for lit in lines
                ]
            return self._played(clause, tuple(steps), self._times(times))
        if opposite is not None:
            return self._opposite(clause, lines, opposite, period)
        if times is not None and every is not None:
            n = self._times(times) or 1
            rest = self._interval(every) - n * period
            if rest < 0:
                self._refuse(every, f"{n} blinks of {show_duration(period)} do not fit into this")
            steps = [Step(on, on_ps), Step(off, off_ps)] * n
            steps[-1] = Step(off, off_ps + rest)
            return self._played(clause, tuple(steps), None)
        if alternate is None and len(lines) > 1 and times is None:
            # Each line its own rule: a timer channel can then drive each of them.
            rules = []
            mods = dict(clause.mods)
            for line in lines:
                clause.mods = dict(mods)
                steps = [Step(((line, 1),), on_ps), Step(((line, 0),), off_ps)]
                rules += self._played(clause, tuple(steps), None)
            return rules
        return self._played(clause, (Step(on, on_ps), Step(off, off_ps)), self._times(times))

    def _off_first(self, node: Node) -> bool:
        on, off = node.first("ON"), node.first("OFF")
        return on is not None and off is not None and off.start < on.start

    def _opposite(
        self, clause: Clause, lines: tuple[Line, ...], node: Node, period: int | None
    ) -> list[Rule]:
        other = self._outputs(node.first("outputs"))[0]
        for rule in self.rules:
            if isinstance(rule.action, Play) and other in rule.action.lines:
                if period is not None and period != rule.action.period_ps:
                    self._refuse(node, f"{other.name} blinks at another rate")
                steps = tuple(
                    Step(tuple((line, 1 - dict(s.levels)[other]) for line in lines), s.duration_ps)
                    for s in rule.action.steps
                )
                return [replace(rule, action=replace(rule.action, steps=steps))]
        if period is None:
            self._refuse(node, f"it is not said before how {other.name} blinks")
        both = (*lines, other)
        half = period // 2
        steps = (
            Step(tuple((line, int(line is not other)) for line in both), half),
            Step(tuple((line, int(line is other)) for line in both), period - half),
        )
        return self._played(clause, steps, None)

    def _played(self, clause: Clause, steps: tuple[Step, ...], times: int | None) -> list[Rule]:
        """Rules for a Play with whatever of delay, event, gate and duration the clause has."""
        for step in steps:
            if step.duration_ps <= 0:
                self._refuse(clause.action, "a time of zero cannot be seen")
        gate_node, otherwise = clause.take("held"), clause.take("otherwise")
        gate = self._gate(gate_node)
        start, stop = self._start(clause), self._stop(clause)
        rules = [Rule(Play(steps, times), start, stop_ps=stop, gate=gate)]
        if otherwise is not None:
            if gate is None:
                self._refuse(otherwise, "'otherwise' needs a 'while the button is held'")
            rules += self._otherwise(otherwise, gate, rules[0])
        return rules

    def _otherwise(self, node: Node, gate: Held, rule: Rule) -> list[Rule]:
        inverse = replace(gate, invert=not gate.invert)
        lines = lines_of(rule)
        blink, put = node.first("elseblink"), node.first("elseput")
        if blink is not None:
            rate = blink.first("rate")
            period = self._period(rate) if rate else self._interval(self._need(blink, "every"))
            on, off = tuple((x, 1) for x in lines), tuple((x, 0) for x in lines)
            half = period // 2
            play = Play((Step(on, half), Step(off, period - half)))
            return [Rule(play, gate=inverse)]
        if put is not None and not self._is_on(put):
            return []
        return [Rule(Put(line, "on"), gate=inverse) for line in lines]

    def _pulse(self, clause: Clause) -> list[Rule]:
        return self._pulsing(clause, self._lines(clause))

    def _pulsing(self, clause: Clause, lines: tuple[Line, ...]) -> list[Rule]:
        self.outputs = lines
        lasting, every, rate = clause.take("lasting"), clause.take("every"), clause.take("rate")
        if lasting is None:
            clause.mods |= {n.name: n for n in (every, rate) if n is not None}
            return self._blinking(clause, lines)
        width = self._duration(self._need(lasting, "duration"))
        if every is None and rate is None:
            if (
                "event" not in clause.mods
                and clause.inherited is None
                and "times" not in clause.mods
            ):
                self.assumptions.append("a pulse whose repetition is not said comes once, at boot")
            clause.take("times")
            start = self._start(clause)
            return [Rule(Put(line, "on"), start, stop_ps=width) for line in lines]
        period = self._interval(every) if every is not None else self._period(_sure(rate))
        if period <= width:
            self._refuse(lasting, f"a pulse this long does not fit into {show_duration(period)}")
        on, off = tuple((x, 1) for x in lines), tuple((x, 0) for x in lines)
        return self._played(clause, (Step(on, width), Step(off, period - width)), None)

    def _toggle(self, clause: Clause) -> list[Rule]:
        return self._toggling(clause, self._lines(clause))

    def _toggling(self, clause: Clause, lines: tuple[Line, ...]) -> list[Rule]:
        self.outputs = lines
        presser = clause.action.first("button")
        if presser is not None:
            return [Rule(Put(x, "toggle"), OnEdge(self._button(presser))) for x in lines]
        every, rate = clause.take("every"), clause.take("rate")
        clause.take("together")
        if every is None and rate is None:
            if "event" in clause.mods or clause.inherited is not None or "delay" in clause.mods:
                start = self._start(clause)
                return [Rule(Put(line, "toggle"), start) for line in lines]
            self._refuse(
                clause.action,
                "it is not said when to toggle",
                hint='for example "toggle LED every 500 ms" or "... on each press of the button"',
            )
        half = self._interval(every) if every is not None else self._period(_sure(rate))
        rules = []
        mods = dict(clause.mods)
        for line in lines:
            clause.mods = dict(mods)
            steps = (Step(((line, 0),), half), Step(((line, 1),), half))
            rules += self._played(clause, steps, None)
        return rules

    def _put(self, clause: Clause) -> list[Rule]:
        action = clause.action
        lines = self.outputs = self._lines(clause)
        on = self._is_on(action) if action.first("onoff") else action.first("darken") is None
        held, otherwise, event = (
            clause.take("held"),
            clause.take("otherwise"),
            clause.mods.get("event"),
        )
        every, lasting = clause.take("every"), clause.mods.get("lasting")
        clause.take("once")
        if every is not None:
            if lasting is None or not on:
                self._refuse(every, "it is not said for how long each time")
            clause.take("lasting")
            clause.mods |= {"lasting": lasting, "every": every}
            return self._pulsing(clause, lines)
        if held is not None:
            gate = self._gate(held)
            assert gate is not None
            if otherwise is not None and self._else_level(otherwise) is on:
                self._refuse(otherwise, "both cases say the same")
            if event is not None:
                self._refuse(event, "'while held' and 'when pressed' in one clause")
            # "off while held" says what the rest of the time is only if somebody says so
            return [
                Rule(Follow(line, gate.source, invert=gate.invert ^ (not on))) for line in lines
            ]
        if otherwise is not None:
            self._refuse(otherwise, "'otherwise' needs a 'while the button is held'")
        start, stop = self._start(clause), self._stop(clause)
        if stop is not None and not on:
            self._refuse(action, "off for a time says nothing of what comes before and after")
        return [Rule(Put(line, "on" if on else "off"), start, stop_ps=stop) for line in lines]

    def _else_level(self, node: Node) -> bool | None:
        put = node.first("elseput")
        if put is None:
            self._refuse(node, "this does not go with turning something on or off")
        return self._is_on(put)

    def _steps(self, clause: Clause) -> list[Rule]:
        action = clause.action
        lines = self.outputs = self._outputs(action.first("outputs"))
        times, repeat = clause.take("times"), clause.take("repeat")
        steps: list[tuple[int, int]] = []
        nodes = list(action.all("step"))
        lasting = next((k for k in action.kids if k.name == "duration"), None)
        if lasting is not None:
            level = next(k for k in action.kids if k.name == "onoff")
            steps.append((int(level.first("off") is None), self._duration(lasting)))
        for node in nodes:
            level = self._need(node, "onoff")
            duration = self._duration(self._need(node, "duration"))
            steps.append((int(level.first("off") is None), duration))
        merged: list[tuple[int, int]] = []
        for lit, duration in steps:
            if merged and merged[-1][0] == lit:
                merged[-1] = (lit, merged[-1][1] + duration)
            else:
                merged.append((lit, duration))
        if len(merged) < 2:
            self._refuse(action, "this pattern never changes")
        count = self._times(times)
        if count is None and repeat is None and len(merged) > 2:
            self.assumptions.append("the pattern repeats over and over")
        made = tuple(Step(tuple((x, lit) for x in lines), duration) for lit, duration in merged)
        return self._played(clause, made, count)

    def _morse(self, clause: Clause) -> list[Rule]:
        node = clause.action.first("outputs")
        port = clause.mods.get("atport")
        if port is not None:
            self._refuse(port, "Morse code goes to a light, not to a serial port")
        if node is None and not self._led():
            self._refuse(clause.action, "it is not said on which pin")
        lines = self.outputs = self._outputs(node) if node else (_sure(self._led()),)
        dot, wpm, times = clause.take("dot"), clause.take("wpm"), clause.take("times")
        clause.take("repeat")
        if dot is not None:
            dot_ps = self._duration(self._need(dot, "duration"))
        elif wpm is not None:
            # PARIS, the standard word, is fifty dots long
            dot_ps = round(Fraction(60 * SECOND, 50) / self._number(self._need(wpm, "number")))
        else:
            dot_ps = DOT_PS
            self.assumptions.append(f"a Morse dot lasts {show_duration(dot_ps)}")
        if times is None:
            self.assumptions.append("the Morse text repeats over and over")
        every = clause.take("every")
        text = self._text(self._need(clause.action, "morsetext"))
        keyed = morse(text, dot_ps)
        if every is not None:
            total = sum(d for _, d in keyed)
            rest = self._interval(every) - total
            if rest < 0:
                self._refuse(every, f"the text takes {show_duration(total)}")
            keyed[-1] = (0, keyed[-1][1] + rest)
        steps = tuple(Step(tuple((x, lit) for x in lines), d) for lit, d in keyed)
        return self._played(clause, steps, self._times(times))

    def _traffic(self, clause: Clause) -> list[Rule]:
        action = clause.action
        times = clause.take("times")
        clause.take("repeat")
        lamps: dict[str, Line] = {}
        phases: list[tuple[set[str], int]] = []
        for node in action.all("lampon"):
            colour = self._colour(self._need(node, "colour"))
            lamps[colour] = self._output(self._need(node, "output"))[0]
            if (lit := node.first("duration")) is not None:
                phases.append(({colour}, self._duration(lit)))
        outputs = action.first("outputs")
        if outputs is not None:
            lines = self._outputs(outputs)
            if len(lines) != 3:
                self._refuse(outputs, "a traffic light has three lamps: red, yellow and green")
            lamps = dict(zip(("red", "yellow", "green"), lines, strict=True))
            named = ", ".join(f"{c} on {line.name}" for c, line in lamps.items())
            self.assumptions.append(f"the lamps are, in this order, {named}")
        if set(lamps) != {"red", "yellow", "green"}:
            self._refuse(
                action,
                "it is not said which pins the lamps are on",
                hint='for example "traffic light on D2, D3, D4"',
            )
        self.outputs = tuple(lamps.values())
        for node in action.all("lamp"):
            colours = {self._colour(c) for c in node.all("colour")}
            phases.append((colours, self._duration(self._need(node, "duration"))))
        if not phases:
            phases = [({c}, LAMPS_PS[c]) for c in ("red", "green", "yellow")]
            said = ", ".join(f"{next(iter(c))} {show_duration(d)}" for c, d in phases)
            self.assumptions.append(f"no times were given: {said}")
        steps = tuple(
            Step(tuple((line, int(c in lit)) for c, line in lamps.items()), duration)
            for lit, duration in phases
        )
        return self._played(clause, steps, self._times(times))

    def _chaser(self, clause: Clause) -> list[Rule]:
        action = clause.action
        lines = self.outputs = self._outputs(action.first("outputs"))
        if len(lines) < 2:
            self._refuse(action, "a running light needs two outputs or more")
        times, rate = clause.take("times"), clause.take("rate")
        lasting, every = clause.take("lasting"), clause.take("every")
        clause.take("repeat")
        each = action.first("each") or lasting or every
        if each is not None:
            step = self._interval(each)
        elif rate is not None:
            step = self._period(rate)
        else:
            step = CHASE_PS
            self.assumptions.append(f"each step lasts {show_duration(step)}")
        order = list(lines)
        if action.first("scanner") is not None:
            order += lines[-2:0:-1]
        steps = tuple(Step(tuple((x, int(x is lit)) for x in lines), step) for lit in order)
        return self._played(clause, steps, self._times(times))

    # ------------------------------------------------------------------ buttons

    def _follow(self, clause: Clause) -> list[Rule]:
        action = clause.action
        node = action.first("outputs")
        lines = self.outputs = self._outputs(node)
        source = self._button(action.first("button"))
        inverse = action.name == "invert" or action.first("inverted") is not None
        return [Rule(Follow(line, source, inverse)) for line in lines]

    def _presscount(self, clause: Clause) -> list[Rule]:
        source = self.counted = self._button(clause.action.first("button"))
        if clause.action.first("alsoprint") is None:
            event = clause.take("event")
            if event is not None:
                self._refuse(event, "counting has its own moment: the press")
            return []
        start, every = clause.mods.get("event"), clause.take("every")
        port, baud = self._port(clause)
        say = Say(port, (Presses(source),), baud)
        if every is not None:
            return [Rule(say, every_ps=self._interval(every))]
        edge = self._start(clause) if start is not None else OnEdge(source)
        return [Rule(say, edge)]

    def _print(self, clause: Clause) -> list[Rule]:
        port, baud = self._port(clause)
        parts: list[Part] = [Count()] if clause.action.first("COUNT_UP") else []
        for item in clause.action.all("item", "plain"):
            made = self._item(item.kids[0])
            if parts and isinstance(parts[-1], str) and isinstance(made, str):
                parts[-1] += made
            else:
                if parts and not isinstance(parts[-1], str) and not isinstance(made, str):
                    parts.append(" ")
                parts.append(made)
        every, rate, boot = clause.take("every"), clause.take("rate"), clause.take("boot")
        times, held = clause.take("times"), clause.take("held")
        clause.take("repeat")
        if held is not None and every is None and rate is None:
            self._refuse(held, "it is not said how often to print meanwhile")
        action = Say(port, self._spaced(parts), baud)
        if rate is not None and every is None:
            interval: int | None = self._period(rate)
        else:
            interval = self._interval(every) if every is not None else None
        event = clause.inherited or clause.mods.get("event")
        counted = next((p for p in parts if isinstance(p, Presses)), None)
        if event is None and interval is None and boot is None and counted is not None:
            self.assumptions.append("the count is printed at each press")
            return [Rule(action, OnEdge(counted.source))]
        start, stop = self._start(clause), self._stop(clause)
        n = self._times(times)
        if n is not None and n > 1:
            if interval is None:
                self._refuse(_sure(times), "it is not said at what interval")
            if stop is not None:
                self._refuse(_sure(times), "a number of times and a duration")
            stop = interval * (n - 1) + interval // 2
        if n == 1:
            interval = None
        if boot is None and interval is None and n is None and start == AtBoot():
            self.assumptions.append("the text is printed once, at boot")
        gate = self._gate(held)
        return [Rule(action, start, every_ps=interval, stop_ps=stop, gate=gate)]

    def _spaced(self, parts: list[Part]) -> tuple[Part, ...]:
        """Put a space between text and a number where the text brings none."""
        made: list[Part] = []
        for i, part in enumerate(parts):
            here = part
            if isinstance(here, str):
                if i + 1 < len(parts) and here and here[-1].isalnum():
                    here += " "
                if i > 0 and here and here[0].isalnum():
                    here = " " + here
            made.append(here)
        return tuple(made)

    def _item(self, node: Node) -> Part:
        match node.name:
            case "quoted" | "bare":
                text = self._text(node)
                strange = sorted({c for c in text if not (c.isascii() and c.isprintable())})
                if strange:
                    self._refuse(node, f"only plain ASCII can be sent, not {' '.join(strange)}")
                return text
            case "counter":
                said = self.words.words[node.start : node.end]
                if self.counted is not None and said[0].folded in ("count", "counter"):
                    return Presses(self.counted)
                numbers = list(node.all("number"))
                first, step = 0, 1
                for number in numbers:
                    value = self._whole(number)
                    before = self.words.words[number.start - 1].folded
                    if before in ("of", "by"):
                        step = value
                    else:
                        first = value
                return Count(first, step)
            case "uptime":
                unit = node.first("UNIT")
                if unit is None:
                    return Uptime("s")
                ps = self.words.unit(unit.start)
                if ps not in (SECOND, MS):
                    self._refuse(node, "uptime can be told in seconds or in milliseconds")
                return Uptime("s" if ps == SECOND else "ms")
            case "presses":
                return Presses(self._button(node.first("button")))
            case _:
                output = node.first("output")
                line = self._output(output)[0] if output else self._button(node.first("button"))
                pressed = ("pressed", "released") if output is None else ("on", "off")
                return State(line, *pressed)

    # ------------------------------------------------------------------ modifiers

    def _start(self, clause: Clause) -> AtBoot | OnEdge:
        clause.take("boot")
        delay = clause.take("delay")
        after = self._duration(self._need(delay, "duration")) if delay is not None else 0
        event = clause.take("event") or clause.inherited
        if event is None:
            return AtBoot(clause.base_ps + after)
        if clause.base_ps:
            self._refuse(event, "'then' and 'when pressed' in one clause")
        released = event.first("released", "release_n", "release_i") is not None
        return OnEdge(self._button(event.first("button")), not released, after)

    def _stop(self, clause: Clause) -> int | None:
        lasting = clause.take("lasting")
        return self._duration(self._need(lasting, "duration")) if lasting is not None else None

    def _gate(self, node: Node | None) -> Held | None:
        if node is None:
            return None
        inverse = node.first("nheld", "uheld") is not None
        return Held(self._button(node.first("button")), inverse)

    def _port(self, clause: Clause) -> tuple[str, int]:
        node = clause.take("atport") or clause.action.first("port")
        baud_node = clause.take("baud")
        console = self.board.console
        name = None
        if node is not None:
            usart = node.first("USART")
            name = self.words.usart(usart.start) if usart is not None else None
        if name is None:
            if console is None:
                self._refuse(
                    clause.action, "this board has no console to print to", self._ports_hint()
                )
            name = console.uart
        baud = console.baud if console is not None and console.uart == name else 115_200
        if baud_node is not None:
            baud = self._whole(self._need(baud_node, "number"))
            if not 50 <= baud <= 2_000_000:
                self._refuse(baud_node, "a baud rate lies between 50 and 2 000 000")
        return name, baud

    def _ports_hint(self) -> str | None:
        """Which ports there are for a serial adapter of the user's own."""
        pins = self.board.chip.pins.values()
        ports = [
            name
            for name in sorted(self.board.chip.peripherals)
            if "UART" in name.replace("USART", "UART")
            and any(pin.af(f"{name}_TX") is not None for pin in pins)
        ]
        if not ports:
            return None
        return f"with a serial adapter on one of its ports, name it: on {', '.join(ports)}"

    def _times(self, node: Node | None) -> int | None:
        if node is None:
            return None
        if node.first("once") is not None:
            return 1
        return self._count(self._need(node, "count"))

    def _count(self, node: Node) -> int:
        if node.first("TWICE") is not None:
            return 2
        return self._whole(self._need(node, "number"))

    def _period(self, node: Node) -> int:
        """The period of a rate ("2 Hz", "twice a second", "a period of 1 s")."""
        number, hertz = node.first("number"), node.first("HERTZ")
        if hertz is not None:
            mhz = self._number(_sure(number)) * self.words.hertz(hertz.start, hertz.end)
            if mhz <= 0:
                self._refuse(node, "a rate must be more than zero")
            return round(Fraction(1000 * SECOND) / mhz)
        duration = node.first("duration")
        unit = node.first("UNIT")
        base = self._duration(duration) if duration is not None else 0
        if duration is None and unit is not None:
            base = self.words.unit(unit.start)
        count = node.first("count")
        if count is None:
            return base
        n = Fraction(2) if count.first("TWICE") else self._number(self._need(count, "number"))
        if n <= 0:
            self._refuse(node, "a rate must be more than zero")
        return round(base / n)

    def _interval(self, node: Node) -> int:
        """The time of "every 500 ms", "every second", "every other second"."""
        duration = node.first("duration")
        if duration is not None:
            return self._duration(duration)
        unit = self._need(node, "UNIT")
        factor = 2 if node.first("OTHER") is not None else 1
        return factor * self.words.unit(unit.start)

    def _duration(self, node: Node) -> int:
        if node.first("HALF_A") is not None:
            return self.words.unit(self._need(node, "UNIT").start) // 2
        total = Fraction(0)
        for number, unit in zip(node.all("number"), node.all("UNIT"), strict=True):
            total += self._number(number) * self.words.unit(unit.start)
        if total <= 0:
            self._refuse(node, "a time must be more than zero")
        return round(total)

    def _percent(self, node: Node) -> int:
        ppm = self._number(self._need(self._need(node, "percent"), "number")) * 10_000
        if not 0 < ppm < 1_000_000:
            self._refuse(node, "a duty lies between 0 and 100 %, both excluded")
        return round(ppm)

    def _number(self, node: Node) -> Fraction:
        return next(value for end, value in self.words.numbers(node.start) if end == node.end)

    def _whole(self, node: Node) -> int:
        value = self._number(node)
        if value.denominator != 1 or (value < 1 and value != 0):
            self._refuse(node, "this must be a whole number")
        return int(value)

    def _is_on(self, node: Node) -> bool:
        return self._need(node, "onoff").first("off") is None

    def _colour(self, node: Node) -> str:
        return node.kids[0].name

    def _text(self, node: Node) -> str:
        quoted = node.first("QUOTED")
        if quoted is not None:
            return self.words.words[quoted.start].folded
        bare = self._need(node, "BARE")
        return self.words.text(bare.start, bare.end, self.sentence)

    # ------------------------------------------------------------------ things

    def _lines(self, clause: Clause) -> tuple[Line, ...]:
        """The outputs that a clause names, or those that "it" means."""
        found = clause.action.first("outputs")
        if found is not None:
            return self._outputs(found)
        if self.outputs:
            return self.outputs
        led = self._led()
        if led is None or clause.action.name != "blink":
            self._refuse(clause.action, "it is not said what this is about")
        return (led,)

    def _outputs(self, node: Node | None) -> tuple[Line, ...]:
        assert node is not None
        lines = [line for output in node.all("output") for line in self._output(output)]
        twice = next((x for i, x in enumerate(lines) if x in lines[:i]), None)
        if twice is not None:
            self._refuse(node, f"{twice.name} is named twice")
        return tuple(lines)

    def _output(self, node: Node) -> tuple[Line, ...]:
        pins = list(node.all("PIN"))
        if node.first("pinrange") is not None:
            return self._range(node, pins)
        if pins:
            return (self._line(pins[0].start),)
        if (notled := node.first("notled")) is not None:
            self._refuse(notled, "this is a button, not an output")
        led = self._need(node, "LED")
        name = self.words.thing("LED", led.start, led.end)
        part = self.board.parts.get(name or "")
        if part is None:
            found = self._led()
            if found is None:
                self._refuse(node, "this board has no LED; name a pin")
            return (found,)
        return (Line(part.pin, part.name, part.active),)

    def _range(self, node: Node, pins: list[Node]) -> tuple[Line, ...]:
        first, last = (self.words.words[p.start].text for p in pins)
        stem = first.rstrip("0123456789")
        if last.rstrip("0123456789").casefold() != stem.casefold():
            self._refuse(node, "a range of pins runs within one row of names")
        one, two = int(first[len(stem) :]), int(last[len(stem) :])
        numbers = range(one, two + 1) if one <= two else range(one, two - 1, -1)
        lines = []
        for n in numbers:
            label = f"{stem}{n}".upper()
            pin = self.board.find_pin(label)
            if pin is None:
                self._refuse(node, f"{self.board.title} has no pin {label}")
            lines.append(Line(pin.name, label))
        return tuple(lines)

    def _line(self, at: int) -> Line:
        name = self.words.words[at].text.upper()
        pin = self.words.pin(at)
        assert pin is not None
        part = next((p for p in self.board.parts.values() if p.pin == pin), None)
        if part is not None and part.kind == "button":
            raise PromptError(
                f"{name} is wired to the button {part.name}",
                words=(name,),
                hint="driving it could short it when the button is pressed: use another pin",
            )
        use = pin_uses(self.board).get(pin, "")
        if use.startswith(("console", "debug probe", "oscillator")):
            raise PromptError(
                f"{name} is taken on this board: {use}",
                words=(name,),
                hint=f"use another pin: fwgen boards show {self.board.name}",
            )
        return Line(pin, name, part.active if part is not None else 1)

    def _led(self) -> Line | None:
        part = next((p for p in self.board.parts.values() if p.kind == "led"), None)
        return Line(part.pin, part.name, part.active) if part is not None else None

    def _button(self, node: Node | None) -> Line:
        """A button: a part of the board, or a pin with a button to ground; else the last one."""
        if node is None and self.button is not None:
            return self.button
        self.button = self._find_button(node)
        return self.button

    def _find_button(self, node: Node | None) -> Line:
        if node is not None and (pin := node.first("PIN_")) is not None:
            name = self.words.words[pin.start].text.upper()
            found = self.words.pin(pin.start)
            assert found is not None
            part = next((p for p in self.board.parts.values() if p.pin == found), None)
            if part is None:
                note = f"the button on {name} connects it to ground, with the chip's pull-up"
                if note not in self.assumptions:
                    self.assumptions.append(note)
                return Line(found, name, active=0, pull=1)
            if part.kind != "button":
                self._refuse(node, f"{name} is wired to {part.name}, which is no button")
            return _button_line(part)
        said = node.first("BUTTON") if node is not None else None
        name_of = self.words.thing("BUTTON", said.start, said.end) if said is not None else None
        part = self.board.parts.get(name_of or "")
        part = part or next((p for p in self.board.parts.values() if p.kind == "button"), None)
        if part is None:
            raise PromptError(
                f"{self.board.title} has no button", words=("button",), hint="name the pin it is on"
            )
        return _button_line(part)

    # ------------------------------------------------------------------ refusals

    def _need(self, node: Node | None, name: str) -> Node:
        found = node.first(name) if node is not None else None
        assert found is not None, f"the grammar promised {name}"
        return found

    def _refuse(self, node: Node, why: str, hint: str | None = None) -> NoReturn:
        said = self.words.text(node.start, node.end, self.sentence)
        raise PromptError(f"{said!r}: {why}", words=(said,), hint=hint)


def _sure(thing: T | None) -> T:
    """What the grammar or an earlier check promises to be there."""
    assert thing is not None
    return thing


def _button_line(part: BoardPart) -> Line:
    """A button of the board; without a resistor there, the chip holds it while it is released."""
    pull = None if part.pull is not None else 1 - part.active
    return Line(part.pin, part.name, part.active, pull)


def lines_of(rule: Rule) -> tuple[Line, ...]:
    """The lines that a rule drives."""
    match rule.action:
        case Play():
            return rule.action.lines
        case Put(line=line) | Follow(line=line):
            return (line,)
        case Say():
            return ()


def sources_of(rule: Rule) -> tuple[Line, ...]:
    """The buttons that a rule listens to."""
    found = []
    if isinstance(rule.start, OnEdge):
        found.append(rule.start.source)
    if rule.gate is not None:
        found.append(rule.gate.source)
    if isinstance(rule.action, Follow):
        found.append(rule.action.source)
    if isinstance(rule.action, Say):
        found += [p.source for p in rule.action.parts if isinstance(p, Presses)]
    return tuple(dict.fromkeys(found))


def span_of(rule: Rule) -> tuple[int, int | None]:
    """From when until when a rule that starts at boot drives its lines; None: for ever."""
    assert isinstance(rule.start, AtBoot)
    start = rule.start.after_ps
    if rule.stop_ps is not None:
        return start, start + rule.stop_ps
    if isinstance(rule.action, Play) and rule.action.times is not None:
        return start, start + rule.action.times * rule.action.period_ps
    return start, None


def _together(one: Rule, two: Rule) -> bool:
    """Whether two rules want one line at the same time."""
    if isinstance(one.action, Put) and isinstance(two.action, Put):
        return one.start == two.start and one.gate == two.gate  # later ones take over
    if one.gate is not None and two.gate is not None and one.gate.source == two.gate.source:
        return one.gate.invert == two.gate.invert
    if isinstance(one.start, AtBoot) and isinstance(two.start, AtBoot):
        (a, b), (c, d) = span_of(one), span_of(two)
        if isinstance(one.action, Put) and a != c and b is None:
            return a > c and (d is None or d > a)
        if isinstance(two.action, Put) and a != c and d is None:
            return c > a and (b is None or b > c)
        return (d is None or a < d) and (b is None or c < b)
    return True


def _short(rule: Rule) -> str:
    return f"do {rule.clause!r}" if rule.clause else "that"
