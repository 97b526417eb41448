"""What every module has: its pads, what it senses, what it shows, and what it takes amiss."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING, ClassVar

from fwgen.board.modules import load_module_kind
from fwgen.board.outputs import in_order
from fwgen.contract.subjects import find
from fwgen.contract.types import Press, Sense, Turn
from fwgen.contract.words import say
from fwgen.errors import BenchError, BoardError
from fwgen.trace import Hazard, Pictured, Shown, Stimulated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer
    from fwgen.picture import Picture


class ModuleModel:
    """A module on the board. Times are picoseconds.

    A pin that floats keeps, for the module, the level that it had.
    """

    SOURCE: ClassVar[str] = ""

    def __init__(self, soc: Soc, spec: Module) -> None:
        self.soc, self.spec, self.name = soc, spec, spec.name
        self.pads = {role: soc.fabric.pads[pin] for role, pin in spec.pins.items()}
        self._levels = {role: pad.level or 0 for role, pad in self.pads.items()}
        self.outs = {
            own: soc.fabric.pads[pin]
            for own in spec.outputs
            if (pin := f"{spec.name}.{own}") in soc.fabric.pads
        }
        self._outputs_at: dict[str, tuple[int | None, int | None]] = {}
        self.source = self.SOURCE  # the data sheet
        self._shown: dict[str, int | str | Picture | None] = {}
        self._senses: dict[str, Sense] = {}

    # ------------------------------------------------------------------ for the models

    def power_on(self, t_ps: int) -> None:
        """The supply came: forget everything."""

    def attach(self) -> None:
        """All is in place, and the supply is there: one on a bus begins to listen."""

    def press(self, t_ps: int, key: str, *, closed: bool) -> None:
        """A contact of it closes or opens."""

    def turn(self, t_ps: int, right: bool, quarter: int, *, closed: bool) -> None:
        """A quarter of a step; only encoders turn."""

    def setting(self, name: str) -> int:
        """A setting that is a number."""
        return int(self.spec.settings[name])

    def word(self, name: str) -> str:
        """A setting that is a text."""
        return str(self.spec.settings[name])

    def level(self, role: str) -> int:
        """The level of one of its pins, as it was last heard."""
        return self._levels[role]

    def hear(self, role: str, moved: Callable[[int, int], None]) -> None:
        """Hear each change of level of one of its pins."""

        def changed(t_ps: int, level: int | None) -> None:
            if level is not None and level != self._levels[role]:
                self._levels[role] = level
                moved(t_ps, level)

        self.pads[role].listen(changed)
        level = self.pads[role].level
        if level is not None:
            self._levels[role] = level

    def drive(self, t_ps: int, role: str, level: int | None) -> None:
        """Drive one of its pins, or let go of it."""
        self.pads[role].drive_outside(t_ps, self.name, level)

    def put_out(self, t_ps: int, levels: Mapping[str, tuple[int | None, int | None]]) -> None:
        """Drive or pull its outputs, all at one moment: each to a level, or None, and a pull."""
        moved = {
            self.outs[own]: how
            for own, how in levels.items()
            if own in self.outs and self._outputs_at.get(own) != how
        }
        self._outputs_at.update(levels)
        # Whoever hears one of them and answers must not find another one as it was before.
        for pad, how in moved.items():
            pad.ready(*how)
        for pad, how in moved.items():
            pad.drive(t_ps, *how)

    def later(self, t_ps: int, call: Callable[[int], None]) -> Timer:
        """Do something at a time."""
        return self.soc.scheduler.at(t_ps, call)

    def sensed(self, what: str, t_ps: int) -> int:
        """What it senses at a time, in the quantity's unit, kept within what it can measure."""
        sense = self._senses.get(what)
        if sense is None:
            return self.setting(what)
        into = t_ps - sense.at_ps
        value = sense.to
        if into < sense.over_ps:
            value = sense.value + (sense.to - sense.value) * into // sense.over_ps
        if sense.noise:
            # The same at the same time: a run can be repeated.
            piece = t_ps // (sense.noise_ps or 1)
            drawn = Random(f"{self.name} {what} {sense.seed} {self.soc.chance} {piece}")
            value += drawn.randint(-sense.noise, sense.noise)
        measure = load_module_kind(self.spec.kind).senses[what]
        value = value if measure.least is None else max(value, measure.least)
        return value if measure.most is None else min(value, measure.most)

    def set_sense(self, sense: Sense, what: str) -> None:
        """It senses something else from now on."""
        self._senses[what] = sense

    def show(self, t_ps: int, what: str, value: int | str | None) -> None:
        """It shows a value from now on."""
        if what not in self._shown or self._shown[what] != value:
            self._shown[what] = value
            self.soc.recorder.add(Shown(t_ps, self.name, what, value))

    def show_picture(self, t_ps: int, picture: Picture | None) -> None:
        """It shows a picture from now on, or one that cannot be told."""
        if picture is None:
            self.show(t_ps, "picture", None)
        elif self._shown.get("picture") != picture:
            self._shown["picture"] = picture
            self.soc.recorder.add(Pictured.of(t_ps, self.name, picture))

    def hazard(self, t_ps: int, code: str, message: str, section: str, cure: str) -> None:
        """It would misbehave; the same at the same place in the firmware is told once."""
        if self.soc.powering:
            return
        event = Hazard.of(
            code, f"{self.name}: {message}", t_ps, self.soc.pc,
            section=f"{self.source}, {section}", cure=cure,
        )  # fmt: skip
        self.soc.recorder.add_once(event, (code, self.name, event.pc))


class Settled:
    """What is shown (by ``tell``) once it has kept still for a while, as an eye takes it in."""

    def __init__(self, module: ModuleModel, tell: Callable[[int], None], quiet_ps: int) -> None:
        self._module, self._tell, self._quiet = module, tell, quiet_ps
        self._last = self._first = -1
        self._timer: Timer | None = None

    def touch(self, t_ps: int) -> None:
        """Something changed."""
        if self._timer is None:
            self._first = t_ps
            self._timer = self._module.later(t_ps + self._quiet, self._look)
        self._last = t_ps

    def _look(self, t_ps: int) -> None:
        due = self._last + self._quiet
        # What changes all the time is shown as it is: nobody can wait for it to be still.
        if t_ps < due and t_ps - self._first < 20 * self._quiet:
            self._timer = self._module.later(due, self._look)
            return
        self._timer = None
        self._tell(t_ps)


def fit(soc: Soc) -> dict[str, ModuleModel]:
    """Put the board's modules onto the chip's pads. Raises BoardError for one without a model."""
    made: dict[str, ModuleModel] = {}
    for spec in in_order(soc.board.modules):
        try:
            module = import_module(f"fwgen.machine.parts.{spec.model}")
        except ModuleNotFoundError as error:
            raise BoardError(
                f"{spec.name} behaves as {spec.model!r}, which the machine does not have",
                where=f"boards/parts/{spec.kind}.toml",
            ) from error
        made[spec.name] = module.MODEL(soc, spec)
    for model in made.values():
        model.power_on(0)
    for model in made.values():
        model.attach()
    return made


def act(stimulus: Press | Sense | Turn, soc: Soc) -> None:
    """Arrange for something to happen to a module. Raises BenchError when there is none."""
    subject = find(stimulus.subject, soc.board)
    if subject is None or subject.module is None:
        raise BenchError(f"{soc.board.name} has no {stimulus.subject!r}")
    model = soc.modules[subject.module.name]
    name = subject.key

    def told(t_ps: int) -> None:
        what = say(stimulus, soc.board)
        if isinstance(stimulus, Press):
            what = "pressed, bouncing" if stimulus.bounce_ps else "pressed"
        soc.recorder.add(Stimulated(t_ps, name, what))

    soc.scheduler.at(stimulus.at_ps, told)
    match stimulus:
        case Sense():
            item = subject.item
            at_ps = max(stimulus.at_ps, soc.scheduler.now_ps)
            moved = replace(stimulus, at_ps=at_ps)
            soc.scheduler.at(at_ps, lambda _t: model.set_sense(moved, item))
        case Press():
            _press(stimulus, model, subject.item, soc)
        case Turn():
            _turn(stimulus, model, soc)


def _press(stimulus: Press, model: ModuleModel, key: str, soc: Soc) -> None:
    random = Random(f"{stimulus.subject} {stimulus.at_ps}{' again' * soc.chance}")
    contact(soc, stimulus.at_ps, stimulus.bounce_ps, random, closed=True,
            move=lambda t, closed: model.press(t, key, closed=closed))  # fmt: skip
    if stimulus.hold_ps is not None:
        contact(soc, stimulus.at_ps + stimulus.hold_ps, stimulus.bounce_ps, random, closed=False,
                move=lambda t, closed: model.press(t, key, closed=closed))  # fmt: skip


def _turn(stimulus: Turn, model: ModuleModel, soc: Soc) -> None:
    random = Random(f"{stimulus.subject} {stimulus.at_ps}{' again' * soc.chance}")
    right = stimulus.steps > 0
    quarter = stimulus.step_ps // 4
    for step in range(abs(stimulus.steps)):
        for part in range(4):
            at = stimulus.at_ps + step * stimulus.step_ps + part * quarter

            def move(t_ps: int, closed: bool, part: int = part) -> None:
                model.turn(t_ps, right, part, closed=closed)

            contact(soc, at, stimulus.bounce_ps, random, closed=part < 2, move=move)


def contact(
    soc: Soc,
    at_ps: int,
    bounce_ps: int,
    random: Random,
    *,
    closed: bool,
    move: Callable[[int, bool], None],
) -> None:
    """A contact closes or opens, with chatter."""
    from fwgen.machine.parts.button import chatter

    for t_ps, state in chatter(at_ps, bounce_ps, random, closed=closed):
        soc.scheduler.at(t_ps, lambda t, state=state: move(t, state))  # type: ignore[misc]
