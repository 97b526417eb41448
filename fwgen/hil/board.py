"""What a test has of a board: flash it, touch it, and ask what its pins and its console do.

    board.flash(fwgen("blink LED at 2Hz"))
    assert board.pin("LD2").blinks("2 Hz")

Each question resets the board, does what the test has arranged (``press``, ``drive``, ``send``),
watches for as long as the answer needs, and asks the machine, too. Keys are those of a contract's
TOML, and where Python has other plans for a word, with an underscore behind: ``from_``, ``for_``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwgen.errors import BenchError, InputError, PromptError, UnitError
from fwgen.hil.claims import Seen
from fwgen.hil.needs import lack, needs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.hil.cases import Case
    from fwgen.hil.place import Place
    from fwgen.image.types import Image
    from fwgen.pipeline import Proof, Result
    from fwgen.rig.flash import Programmed
    from fwgen.trace import Trace

    Firmware = Result | Proof | Image | Path | str


class LackError(BenchError):
    """The rig cannot do what was asked of it: nothing is wired there."""


class RigBoard:
    """A board on an open rig. ``noted`` hears of what was flashed and seen, by name."""

    def __init__(
        self, place: Place, *, noted: Callable[[str, object], None] = lambda name, what: None
    ) -> None:
        self._place, self._noted = place, noted
        self._image: Image | None = None
        self._said: Contract | None = None
        self._stimuli: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        return f"<{self.board.name} on the rig {self.rig}>"

    @property
    def board(self) -> Board:
        """The board, as its file describes it."""
        return self._place.board

    @property
    def name(self) -> str:
        """The board's name."""
        return self.board.name

    @property
    def rig(self) -> str:
        """The rig's name."""
        return self._place.spec.name

    @property
    def probe(self) -> str:
        """The serial number of the probe."""
        return self._place.probe.uid

    @property
    def is_virtual(self) -> bool:
        """Whether it is a board in software."""
        return self._place.virtual is not None

    # ------------------------------------------------------------------ what is done to it

    def flash(self, firmware: Firmware) -> Programmed:
        """Put a firmware onto the board: what ``fwgen`` made, or a .hex, .bin or .elf file.

        It is erased as far as needed, programmed, read back and compared, reset, and runs.
        Raises ImageError for a file that cannot be loaded, RigError when it cannot be done.
        """
        from fwgen.rig.flash import program

        self._image, self._said = self._loaded(firmware)
        backup = False if self.is_virtual else None
        done = program(self._place.connection, self._image, backup=backup)
        self._stimuli.clear()
        self._noted("flash", done)
        self._noted("image", self._image)
        return done

    def _loaded(self, firmware: Firmware) -> tuple[Image, Contract | None]:
        from fwgen.image.load import load_image
        from fwgen.image.types import Image
        from fwgen.pipeline import Proof, Result

        match firmware:
            case Result():
                return firmware.proof.image, firmware.proof.contract
            case Proof():
                return firmware.image, firmware.contract
            case Image():
                return firmware, None
            case _:
                return load_image(Path(firmware), self.board), None

    def press(
        self, button: str = "button", *, at: str, for_: str | None = "200 ms", bounce: str = ""
    ) -> None:
        """From now on every question presses the button, at a time from reset; None: for good.

        Raises LackError (the test is skipped) where nothing can press it.
        """
        self._arrange({"press": button, "at": at, "for": for_, "bounce": bounce}, f"press {button}")

    def drive(self, pin: str, to: str, *, at: str) -> None:
        """From now on every question drives a pin from outside: "high", "low" or "floating"."""
        self._arrange({"drive": pin, "to": to, "at": at}, f"drive {pin}")

    def send(self, text: str, *, at: str, to: str = "console") -> None:
        """From now on every question sends a text to the console, at a time from reset."""
        self._arrange({"send": text, "to": to, "at": at}, "serial")

    def leave_alone(self) -> None:
        """Nothing is pressed, driven or sent any more."""
        self._stimuli.clear()

    def _arrange(self, stimulus: Mapping[str, object], need: str) -> None:
        from fwgen.contract.subjects import resolve

        subject = stimulus.get("press") or stimulus.get("drive")
        if subject:
            resolve(str(subject), self.board)  # what the board lacks is the test's mistake
        why = lack((need,), self._place.spec, self.board)
        if why:
            raise LackError(why)
        self._stimuli.append(_given(stimulus))

    # ------------------------------------------------------------------ what it does

    def pin(self, name: str) -> Pin:
        """A part, a pin, or what people call it. Raises ContractError for what is not there."""
        from fwgen.contract.subjects import resolve

        resolve(name, self.board)
        return Pin(self, name)

    @property
    def console(self) -> Console:
        """What the board says."""
        return Console(self)

    def expect(self, *, span: str | None = None, **claim: Any) -> Seen:
        """Ask for anything that a contract can ask: ``expect(exclusive=["D2", "D3"])``.

        ``span`` is how long is watched; left out, as long as it takes.
        """
        return self.expect_all(_given(claim), span=span)

    def expect_all(self, *claims: Mapping[str, Any], span: str | None = None) -> Seen:
        """Ask for several things in one run, each as a contract's [[expect]] says it."""
        from fwgen.contract import read_contract

        data = {
            "title": "what a test asks",
            "span": span,
            "do": [dict(stimulus) for stimulus in self._stimuli],
            "expect": [_given(claim) for claim in claims],
        }
        return self._ask(read_contract(_given(data), self.board, where="test"))

    def meets(self, contract: Contract | Path | str | None = None) -> Seen:
        """Whether the board meets a contract: a TOML file, its text, or a Contract.

        Left out, it is the one that ``fwgen`` read out of the prompt. What the test arranged
        with ``press`` and the like is not done: a contract has its own.
        """
        from fwgen.contract import Contract, check_contract, load_contract

        if contract is None:
            if self._said is None:
                raise InputError("what was flashed came without a contract", hint="name one")
            asked = self._said
        elif isinstance(contract, Contract):
            check_contract(contract, self.board)
            asked = contract
        else:
            asked = load_contract(contract, self.board)
        return self._ask(asked)

    def run_case(self, case: Case) -> None:
        """Flash what is in a case's folder, and hold it against the case's contract.

        Raises AssertionError when it does not meet it, LackError (the test is skipped) when this
        rig cannot decide it or this board cannot do it.
        """
        __tracebackhide__ = True
        self._noted("case", case.name)
        try:
            firmware, contract = case.firmware(self.board)
        except PromptError as error:
            raise LackError(str(error)) from None
        why = lack(needs_of(contract, self.board), self._place.spec, self.board)
        if why:
            raise LackError(why)
        self.flash(firmware)
        seen = self.meets(contract)
        if not seen:
            raise AssertionError(str(seen))

    def watch(self, span: str, *subjects: str) -> Trace:
        """Reset the board, do what was arranged, and tell all that was seen for so long.

        The parts and pins that are named are looked at as often as it goes, others less often.
        """
        from fwgen.contract import read_contract

        data = {
            "span": span,
            "do": [dict(stimulus) for stimulus in self._stimuli],
            "expect": [{"quiet": True}, *({"counts": name, "least": 0} for name in subjects)],
        }
        contract = read_contract(data, self.board, where="test")
        bench = self._place.bench(contract)
        return bench.run(self._firmware(), contract.stimuli, contract.span_ps)

    def _ask(self, contract: Contract) -> Seen:
        from fwgen.pipeline import confirm, prove

        proof = prove(self._firmware(), self.board, contract)
        seen = Seen(confirm(proof, self._place.bench(contract)), self.rig)
        self._noted("seen", seen)
        return seen

    def _firmware(self) -> Image:
        if self._image is None:
            raise InputError(
                "this test has flashed nothing yet", hint='board.flash(fwgen("blink LED at 2Hz"))'
            )
        return self._image


class Pin:
    """A pin or a part of the board under test."""

    def __init__(self, board: RigBoard, name: str) -> None:
        self._board, self.name = board, name

    def __repr__(self) -> str:
        return f"{self.name} of {self._board!r}"

    def blinks(self, rate: str = "", **keys: Any) -> Seen:
        """Whether it goes on and off: ``blinks("2 Hz")``, ``("500 ms ± 1 %")``, ``(on=, off=)``.

        Keys: on, off, duty, tolerance, starts, first_on_by, phase, from, until.
        """
        if rate:
            keys[_rate_or_period(rate)] = rate
        return self._expect(blinks=self.name, **keys)

    def is_(self, level: str, *, at: str) -> Seen:
        """Whether it has a level at a moment after reset: "on", "off", "high", "low" ..."""
        return self._expect(level=self.name, **{"is": level, "at": at})

    def stays(self, level: str, **keys: Any) -> Seen:
        """Whether it has a level all the time. Keys: from, until."""
        return self._expect(level=self.name, **{"is": level, **keys})

    def pulses(self, exactly: int | None = None, **keys: Any) -> Seen:
        """How often it pulses. Keys: least, most, from, until."""
        return self._expect(counts=self.name, exactly=exactly, **keys)

    def changes(self, exactly: int | None = None, **keys: Any) -> Seen:
        """How often it changes. Keys: what ("on", "off"), least, most, from, until."""
        return self._expect(counts=self.name, exactly=exactly, **{"what": "either", **keys})

    def goes_through(self, *steps: str, **keys: Any) -> Seen:
        """Whether it goes through steps: ``goes_through("on 200 ms", "off 1 s")``.

        Keys: repeat, tolerance, start_within, from, until.
        """
        return self._expect(pattern=self.name, steps=list(steps), **keys)

    def pwm(self, frequency: str, duty: str, **keys: Any) -> Seen:
        """Whether it is a PWM. Keys: to_duty, tolerance, duty_tolerance, from, until."""
        return self._expect(pwm=self.name, frequency=frequency, duty=duty, **keys)

    def sounds(self, frequency: str, **keys: Any) -> Seen:
        """Whether it is a square wave of a frequency. Keys: tolerance, from, until."""
        return self._expect(tone=self.name, frequency=frequency, **keys)

    def follows(self, source: str, **keys: Any) -> Seen:
        """Whether it has the level of another. Keys: within, from, until."""
        return self._expect(follows=self.name, source=source, **keys)

    def inverts(self, source: str, **keys: Any) -> Seen:
        """Whether it has the other level than another. Keys: within, from, until."""
        return self._expect(inverts=self.name, source=source, **keys)

    def turns(self, level: str, *, after: str, within: str, **keys: Any) -> Seen:
        """Whether it turns to a level ("either": to the other) after what is done to ``after``.

        Keys: not_before, from, until.
        """
        then = {"of": self.name, "turns": level}
        return self._expect(when={"of": after}, then=then, within=within, **keys)

    def never_turns(self, level: str, **keys: Any) -> Seen:
        """Whether it never turns to a level. Keys: from, until."""
        return self._expect(never={"of": self.name, "turns": level}, **keys)

    def _expect(self, **claim: Any) -> Seen:
        return self._board.expect(**claim)


class Console:
    """The console of the board under test."""

    def __init__(self, board: RigBoard) -> None:
        self._board = board

    def __repr__(self) -> str:
        return f"console of {self._board!r}"

    def says(self, pattern: str, **keys: Any) -> Seen:
        """Whether it says lines: ``says("up {n}", every="1 s", numbers={"n": {"step": 1}})``.

        Keys: every, tolerance, first_by, times, only, baud, numbers, from, until.
        """
        return self._board.expect(says=pattern, **keys)

    def replies(self, pattern: str, *, to: str, **keys: Any) -> Seen:
        """Whether it answers a text that the test sends. Keys: within, numbers, from, until."""
        return self._board.expect(replies=pattern, to=to, **keys)

    def never_says(self, text: str, **keys: Any) -> Seen:
        """Whether it never says a text. Keys: from, until."""
        return self._board.expect(never={"of": "console", "says": text}, **keys)


def _given(data: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was not given, and without the underscore that Python asks for."""
    return {key.rstrip("_"): value for key, value in data.items() if value not in (None, "")}


def _rate_or_period(text: str) -> str:
    from fwgen.units import parse_duration

    try:
        parse_duration(text.replace("+-", "±").partition("±")[0])
    except UnitError:
        return "rate"
    return "period"
