"""Texts on a serial port, a byte at each interrupt of the transmitter; the core sleeps between.

A text in flash ends with 0; bytes above all its characters stand for numbers and states that are
put in when they are reached. A number is written backwards into a few bytes of the stack and read
from there; the byte behind it leads back to the text.

Several texts share a port by a word of waiting bits: one text at a time, the first rule first,
and a text that is asked for again while it still waits is said once.
Source: RM0368 §19.3.2, §19.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.image.emission import Unit, WordLine
from fwgen.model.embedded.behaviour import Count, Presses, Say, State, Uptime
from fwgen.model.embedded.compose.jobs import Do
from fwgen.model.embedded.compose.runtime import Cell
from fwgen.model.embedded.compose.setup import Stage
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from fwgen.model.embedded.behaviour import Part
    from fwgen.model.embedded.compose.blocks.base import Block
    from fwgen.model.embedded.compose.runtime import Runtime

_UE, _TXEIE, _TE = 1 << 13, 1 << 7, 1 << 3
_BAUD_PPM = 15_000
_DIGITS = 16  # bytes of the stack: ten digits, and what leads back
_SPARE_PS = 2 * PS_PER_MS  # for an idle frame and late service
_FRAME = 10  # bits of a byte on the wire


@dataclass(slots=True)
class _Text:
    block: Block
    say: Say
    label: str
    number: int


@dataclass(slots=True)
class _Insert:
    """Something that a text has put in: a number, or the word for a state."""

    part: Part
    code: int
    cell: Cell | None = None  # a counter's


@dataclass(slots=True)
class Speech:
    """One serial port."""

    port: str
    texts: list[_Text] = field(default_factory=list)
    inserts: list[_Insert] = field(default_factory=list)
    first: list[int] = field(default_factory=list)  # texts to be said at reset
    baud: int = 0
    _at: Cell | None = None  # the next byte; 0: silent
    _waiting: Cell | None = None
    _begun: Cell | None = None  # the milliseconds when the text was begun
    _back: Cell | None = None  # where a text goes on after what was put in
    _room: int = 0  # offset from sp of the digits
    _lowest: int = 0  # the first byte value that is no character

    def add(self, rt: Runtime, block: Block, say: Say) -> None:
        """A text that this port will say."""
        if self.baud not in (0, say.baud):
            raise ModelError(
                f"{self.port} is asked for {self.baud} and for {say.baud} baud",
                where=block.job.clause or None,
            )
        if not self.texts:
            self._open(rt, say.baud, block.job.clause)
        number = len(self.texts)
        if number == 32:
            raise ModelError("more than 32 texts on one port", where=block.job.clause or None)
        stem = self.port.lower()
        self.texts.append(_Text(block, say, f"{stem}_text{number or ''}", number))
        for part in say.parts:
            if isinstance(part, Presses):
                rt.edges.count(rt, part.source)
            if isinstance(part, State):
                rt.setup.clock(rt.silicon.port(part.line.pin))

    def _open(self, rt: Runtime, baud: int, clause: str) -> None:
        silicon, setup = rt.silicon, rt.setup
        self.baud = baud
        pin, af = silicon.transmitter(self.port, clause)
        divider = round(Fraction(silicon.clock_hz, baud))
        real = Fraction(silicon.clock_hz, max(divider, 1))
        if not 16 <= divider < 1 << 16 or abs(real / baud - 1) * 10**6 > _BAUD_PPM:
            raise ModelError(
                f"{baud} baud cannot be made from {silicon.clock_hz // 10**6} MHz",
                where=clause or None,
                hint="use a usual rate from 1200 to 460800",
            )
        setup.clock(self.port)
        setup.ask(
            f"{self.port}_BRR", divider, Stage.VALUE, mask=0xFFFF, text=f"round(CLK / {baud})",
            note=f"{baud} baud",
        )  # fmt: skip
        setup.ask(f"{self.port}_CR1", _UE | _TE, Stage.MODE, note="transmitter on")
        setup.pin(pin, 2, af, f"{pin} to {self.port}_TX")
        irq = silicon.chip.peripherals[self.port].irqs["global"]
        rt.wake_by(irq)
        rt.use(self.port, 3)
        self._at = rt.cell(f"{self.port} says", 0, weight=2)

    def at_reset(self, block: Block, say: Say) -> None:
        """A text that is said first thing."""
        self.first.append(self._find(block, say).number)

    def _find(self, block: Block, say: Say) -> _Text:
        return next(t for t in self.texts if t.block is block and t.say is say)

    # ------------------------------------------------------------------ once all texts are known

    def claim(self, rt: Runtime) -> None:
        """Cells for the queue and for what is put in; the codes of the latter."""
        highest = 127
        for text in self.texts:
            for literal in _literals(text.say):
                if "\0" in literal:
                    raise ModelError(
                        "a text cannot hold the character 0", where=text.block.job.clause
                    )
                highest = max(highest, *literal.encode(), 0)
        self._lowest = highest + 1
        for text in self.texts:
            for part in text.say.parts:
                if not isinstance(part, str):
                    self._insert(rt, part)
        if any(_late_uptime(text.say) for text in self.texts):
            self._begun = rt.cell(f"{self.port} begun at")
        if self.inserts and self._lowest + len(self.inserts) > 255:
            raise ModelError("more numbers than one port's texts can hold")
        if self.inserts:
            self._back = rt.cell(f"{self.port} goes on at")
        if any(not isinstance(i.part, State) for i in self.inserts):
            self._room = rt.buffer
            rt.buffer += _DIGITS
            rt.stack.append((rt.buffer - 4, self._lowest, "leads back to the text"))
        if len(self.texts) > 1:
            waiting = sum(1 << n for n in set(self.first))
            self._waiting = rt.cell(f"{self.port} waiting", waiting)
        elif self.first:
            assert self._at is not None
            self._at.initial = self.texts[0].label
        if self.first:
            rt.setup.ask(f"{self.port}_CR1", _TXEIE, Stage.MODE, note="something to say at once")

    def _insert(self, rt: Runtime, part: Part) -> None:
        # Every counter counts for itself; anything else is the same wherever it stands.
        if not isinstance(part, Count) and any(i.part == part for i in self.inserts):
            return
        insert = _Insert(part, self._lowest + 1 + len(self.inserts))
        if isinstance(part, Count):
            insert.cell = rt.cell(f"count of {self.port}", part.first & 0xFFFFFFFF)
        self.inserts.append(insert)

    # ------------------------------------------------------------------ code

    def say(self, rt: Runtime, block: Block, say: Say) -> None:
        """Code: this text is due."""
        code = rt.code
        text = self._find(block, say)
        assert self._at is not None
        if self._waiting is None:
            busy = code.unique("busy")
            if self._may_overlap(block):
                at = rt.hold(self._at, "r0")
                code.op(f"cmp {at}, #0", "still saying the last?")
                code.branch("bne", busy, "then not this one")
            rt.point(self._at, text.label)
            self._note_time(rt)
            self._wake(rt)
            code.label(busy)
            return
        waiting = rt.hold(self._waiting, "r0")
        with code.live("r0"):
            bit = code.have(1 << text.number, avoid="r0")
            code.op(f"orrs {waiting}, {bit}", f"{text.label} waits")
        rt.keep(self._waiting, waiting)
        self._wake(rt)

    def _note_time(self, rt: Runtime) -> None:
        """Code: the time that the text will tell is that of its first byte."""
        if self._begun is not None:
            with rt.code.live("r2"):
                rt.code.load("r0", rt.silicon.address(f"{rt.uptime}_CNT"), "begun now")
            rt.keep(self._begun, "r0")

    def _wake(self, rt: Runtime) -> None:
        rt.code.store(
            _UE | _TE | _TXEIE, rt.silicon.address(f"{self.port}_CR1"), comment="bytes are wanted"
        )

    def service(self, rt: Runtime) -> None:
        """Code of the loop: a byte, when the transmitter takes one."""
        assert self._at is not None
        code, silicon = rt.code, rt.silicon
        stem = self.port.lower()
        silent, send, fetch, end = (f"{stem}_{w}" for w in ("silent", "send", "fetch", "end"))
        at = rt.hold(self._at, "r2", "the next byte")
        if self._waiting is not None:
            code.op(f"cmp {at}, #0")
            speaking = f"{stem}_speaking"
            code.branch("bne", speaking)
            waiting = rt.hold(self._waiting, "r0")
            if self._waiting.low:
                code.op(f"movs r0, {waiting}")
            code.op("cmp r0, #0", "does another text wait?")
            code.branch("beq", silent)
            self._next(rt, at)
            code.label(speaking)
        else:
            code.op(f"cmp {at}, #0", "anything to say?")
            code.branch("beq", silent)
        with code.live("r2"):
            code.load("r0", silicon.address(f"{self.port}_SR"), keep="r2")
            code.op("lsls r0, r0, #24", "TXE")
            code.branch("bpl", silent, "no room for a byte yet")
            if self.inserts:
                code.label(fetch)
            code.op(f"ldrb r0, [{at}, #0]")
            code.op(f"adds {at}, #1")
            code.op("cmp r0, #0")
            code.branch("beq", end, "the end of the text")
            if self.inserts:
                code.op(f"cmp r0, #{self._lowest}", "no character?")
                code.branch("bcc", send)
                self._put_in(rt, at, fetch)
            code.label(send)
            with code.live("r0"):
                code.save("r0", silicon.address(f"{self.port}_DR"), comment="send")
            rt.keep(self._at, at)
            code.branch("b", "idle", "anything else still pends")
            code.label(end)
            self._end(rt, stem)
        code.label(silent)
        self._tables(rt)

    def _end(self, rt: Runtime, stem: str) -> None:
        """The text is over: silence, or the next."""
        assert self._at is not None
        code = rt.code
        rt.fill(self._at, 0, "silent") if self._at.low else rt.keep(self._at, "r0", "silent")
        more = ""
        if self._waiting is not None:
            more = f"{stem}_silent"
            waiting = rt.hold(self._waiting, "r0")
            code.op(f"cmp {waiting}, #0")
            code.branch("bne", more, "another text waits")
        code.store(_UE | _TE, rt.silicon.address(f"{self.port}_CR1"), comment="no more interrupts")

    def _next(self, rt: Runtime, at: str) -> None:
        """Code: the first text that waits becomes the one that is said (r0: what waits)."""
        assert self._waiting is not None
        code = rt.code
        code.op("rbit r1, r0")
        code.op("clz r1, r1", "the first that waits")
        code.op("lsls r1, r1, #2")
        code.address("r3", f"{self.port.lower()}_texts")
        code.op(f"ldr {at}, [r3, r1]", "its text")
        code.op("subs r1, r0, #1")
        code.op("ands r0, r1", "it waits no more")
        rt.keep(self._waiting, "r0")
        assert self._at is not None
        rt.keep(self._at, at)
        self._note_time(rt)

    def _put_in(self, rt: Runtime, at: str, fetch: str) -> None:
        """Code: r0 is no character: go back to the text, or put something in."""
        assert self._back is not None
        code = rt.code
        stem = self.port.lower()
        number, word = f"{stem}_number", f"{stem}_word"
        code.op(f"subs r0, #{self._lowest}")
        other = code.unique(f"{stem}_put")
        code.branch("bne", other, "not the way back")
        back = rt.hold(self._back, at, "go on with the text")
        if back != at:
            code.op(f"movs {at}, {back}")
        code.branch("b", fetch)
        code.label(other)
        # What needs no branch behind it, because its routine follows, comes last.
        ordered = sorted(self.inserts, key=lambda i: not isinstance(i.part, State))
        for insert in ordered[:-1]:
            other = code.unique(f"{stem}_put")
            code.op(f"cmp r0, #{insert.code - self._lowest}")
            code.branch("bne", other)
            self._value(rt, insert)
            code.branch("b", word if isinstance(insert.part, State) else number)
            code.label(other)
        self._value(rt, ordered[-1])
        kinds = [isinstance(i.part, State) for i in self.inserts]
        if not all(kinds):
            self._number(rt, at, number, fetch)
        if any(kinds):
            code.label(word)
            rt.keep(self._back, at)
            code.op(f"movs {at}, r0")
            code.branch("b", fetch)

    def _number(self, rt: Runtime, at: str, number: str, fetch: str) -> None:
        """Code: r0 in decimal, backwards, into the stack."""
        assert self._back is not None
        code = rt.code
        code.label(number)
        rt.keep(self._back, at)
        digit = code.unique("digit")
        code.op(f"add {at}, sp, #{self._room + _DIGITS - 4}", "behind the last digit")
        code.op("movs r1, #10")
        code.label(digit)
        code.op("udiv r3, r0, r1")
        code.op("mls r0, r3, r1, r0", "the last digit")
        code.op("adds r0, #48")
        code.op(f"subs {at}, #1")
        code.op(f"strb r0, [{at}, #0]")
        code.op("movs r0, r3", "what is left")
        code.branch("bne", digit)
        code.branch("b", fetch)

    def _value(self, rt: Runtime, insert: _Insert) -> None:
        """Code: r0 = the number, or the address of the word."""
        code, part = rt.code, insert.part
        if isinstance(part, State):
            self._state(rt, part)
            return
        with code.live("r2"):
            if isinstance(part, Count):
                assert insert.cell is not None
                self._count(rt, insert.cell, part)
            elif isinstance(part, Presses):
                cell = rt.edges.count(rt, part.source)
                value = rt.hold(cell, "r0")
                if value != "r0":
                    code.op(f"movs r0, {value}")
            elif isinstance(part, Uptime):
                if self._begun is None:
                    code.load("r0", rt.silicon.address(f"{rt.uptime}_CNT"), "milliseconds")
                elif (value := rt.hold(self._begun, "r0")) != "r0":
                    code.op(f"movs r0, {value}")
                if part.unit == "s":
                    code.put("r1", 1000)
                    code.op("udiv r0, r0, r1", "seconds")

    def _count(self, rt: Runtime, cell: Cell, part: Count) -> None:
        code = rt.code
        value = rt.hold(cell, "r0")
        if value != "r0":
            code.op(f"movs r0, {value}")
        step = part.step
        with code.live("r0"):
            if 0 <= step < 8:
                code.op(f"adds r1, r0, #{step}", "the next time")
            elif -8 < step < 0:
                code.op(f"subs r1, r0, #{-step}", "the next time")
            else:
                amount = code.have(step, avoid="r0")
                code.op(f"adds r1, r0, {amount}", "the next time")
        rt.keep(cell, "r1")

    def _state(self, rt: Runtime, part: State) -> None:
        code, line = rt.code, part.line
        chosen = code.unique("chosen")
        labels = self._word_label(part, on=True), self._word_label(part, on=False)
        with code.live("r2"):
            code.load("r0", rt.silicon.address(f"{rt.silicon.port(line.pin)}_IDR"), keep="r2")
        code.op(f"lsls r1, r0, #{31 - rt.silicon.index(line.pin)}", f"{line.name}: high?")
        code.address("r0", labels[0] if line.active else labels[1])
        code.branch("bmi", chosen)
        code.address("r0", labels[1] if line.active else labels[0])
        code.label(chosen)

    def _word_label(self, part: State, *, on: bool) -> str:
        number = next(n for n, i in enumerate(self.inserts) if i.part == part)
        return f"{self.port.lower()}_word{number}_{'on' if on else 'off'}"

    # ------------------------------------------------------------------ texts in flash

    def _tables(self, rt: Runtime) -> None:
        for text in self.texts:
            counts = iter(
                i for i in self.inserts if isinstance(i.part, Count) and self._of(i, text)
            )
            data = bytearray()
            for part in text.say.parts:
                if isinstance(part, str):
                    data += part.encode()
                elif isinstance(part, Count):
                    data.append(next(counts).code)
                else:
                    data.append(next(i.code for i in self.inserts if i.part == part))
            data += b"\r\n\0"
            what = "".join(p if isinstance(p, str) else "#" for p in text.say.parts)
            rt.tables.append(Unit(text.label, "bytes", data=bytes(data), align=4, purpose=what))
        if self._waiting is not None:
            words = tuple(WordLine(text.label) for text in self.texts)
            label = f"{self.port.lower()}_texts"
            rt.tables.append(Unit(label, "words", words, purpose="where each text stands"))
        for insert in self.inserts:
            if isinstance(insert.part, State):
                for on in (True, False):
                    said = insert.part.on if on else insert.part.off
                    data = bytearray(said.encode()) + bytes((self._lowest,))
                    label = self._word_label(insert.part, on=on)
                    rt.tables.append(Unit(label, "bytes", data=bytes(data), align=4))

    def _of(self, insert: _Insert, text: _Text) -> bool:
        """Whether this counter was made for this text (counters come in the order of texts)."""
        counts = [i for i in self.inserts if isinstance(i.part, Count)]
        before = sum(isinstance(p, Count) for t in self.texts[: text.number] for p in t.say.parts)
        mine = sum(isinstance(p, Count) for p in text.say.parts)
        return insert in counts[before : before + mine]

    def _may_overlap(self, block: Block) -> bool:
        """Whether the text may be asked for while it is still being said."""
        job = block.job
        if not block.from_reset or not isinstance(job, Do):
            return True
        return job.every_ps is not None and job.every_ps <= self._longest_ps() + _SPARE_PS

    def _longest_ps(self) -> int:
        """How long the longest text may take."""
        longest = 0
        for text in self.texts:
            size = 2
            for part in text.say.parts:
                if isinstance(part, str):
                    size += len(part.encode())
                elif isinstance(part, State):
                    size += max(len(part.on.encode()), len(part.off.encode()))
                else:
                    size += 10
            longest = max(longest, size)
        return longest * _FRAME * 10**12 // self.baud


def _late_uptime(say: Say) -> bool:
    """Whether a text tells the time, and not with its first characters."""
    return any(isinstance(part, Uptime) for part in say.parts[1:])


def _literals(say: Say) -> list[str]:
    found = [part for part in say.parts if isinstance(part, str)]
    for part in say.parts:
        if isinstance(part, State):
            found += [part.on, part.off]
    return found
