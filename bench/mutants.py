"""What a PASS is worth: firmware that is slightly wrong, held against the contract.

    uv run python bench/mutants.py [--only TEXT] [--each N] [--random N]

Images of the embedded model are altered, one alteration each: every bit of the image, a
hexadecimal digit of an instruction, an instruction left out or exchanged with the next, a
register's offset or a small number off by one, a constant off by one, by 1 % or by 5 %, a mask
shifted to the neighbouring pin, vectors exchanged (of each kind ``--each``, drawn at random,
instead of all). Each runs in the machine under its contract's stimuli and is judged. One that
passes runs again beside the original for ten times as long, with other presses and bytes that
nobody announced: when what pins and ports do differs there it is an *escape*, which a user would
have found instead of us.

The same seed, the same mutants. Needs nothing but fwgen.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise, zip_longest
from typing import TYPE_CHECKING

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.contract import Blinks, Drive, Press, Send
from fwgen.errors import FwgenError
from fwgen.image.types import Image, Segment
from fwgen.machine.machine import Machine
from fwgen.trace import Fault, Gap, Hazard, Reset, SerialByte
from fwgen.units import PPM, PS_PER_MS, PS_PER_S
from fwgen.verdict import Outcome, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.board.types import Board
    from fwgen.contract import Contract, Stimulus
    from fwgen.trace import Trace

BOARD = "nucleo-f401"
MS, SECOND = PS_PER_MS, PS_PER_S
PROMPTS = (
    "blink LED at 2Hz",
    "blink LED at 2Hz and D7 at 3 Hz",
    "blink LED 3 times at 2 Hz",
    "LED on 100 ms, off 200 ms, on 300 ms, off 1 s",
    "traffic light on D2, D3, D4: red 5 s, green 4 s, yellow 1 s",
    "turn on the LED",
    "after 5 seconds turn on LED",
    'print "count" and a counter every 500 ms',
    'print "uptime" and the uptime in seconds every second',
    "LED follows the button",
    "toggle the LED on each press of the button and print the press count",
    "pulse LED for 1 second when the button is pressed",
    "while the button is held blink LED at 5 Hz",
)
LONGER = 10
PATIENCE_S = 0.6  # of CPU for a run of the contract
STEP_PS = 5 * MS
NOP = b"\x00\xbf"


# ---------------------------------------------------------------------------- mutants


@dataclass(frozen=True, slots=True)
class Mutant:
    """An altered image: ``kind`` of alteration, ``where`` it is, and what was done."""

    kind: str
    where: str
    image: Image


@dataclass(frozen=True, slots=True)
class Maker:
    """Alters one image."""

    image: Image
    rng: random.Random

    def all(self, most: int | None = None, draws: int = 100) -> Iterator[Mutant]:
        """Every mutant, each image once: ``most`` of each kind (None: all), ``draws`` slips."""
        seen = {self.image.segments}
        for kind in (
            self.bits(), self.slips(draws), self.left_out(), self.exchanged(),
            self.off_by_one(), self.constants(), self.vectors(),
        ):  # fmt: skip
            made = list(kind)
            if most is not None and len(made) > most:
                made = self.rng.sample(made, most)
            for mutant in made:
                if mutant.image.segments not in seen:
                    seen.add(mutant.image.segments)
                    yield mutant

    def bits(self) -> Iterator[Mutant]:
        """Each bit of the image turned over."""
        every = (
            (segment.address + i, bit)
            for segment in self.image.segments
            for i in range(len(segment.data))
            for bit in range(8)
        )
        for address, bit in every:
            (old,) = self.image.read(address, 1) or b"\0"
            yield self._with("bit", address, bytes([old ^ 1 << bit]), f"bit {bit}")

    def slips(self, count: int) -> Iterator[Mutant]:
        """A hexadecimal digit of an instruction read or written wrongly."""
        code = self._code()
        for _ in range(count if code else 0):
            address, size, _ = self.rng.choice(code)
            data = bytearray(self.image.read(address, size) or b"")
            i, shift = self.rng.randrange(size), self.rng.choice((0, 4))
            data[i] ^= self.rng.randrange(1, 16) << shift
            yield self._with("digit", address, bytes(data), "digit")

    def left_out(self) -> Iterator[Mutant]:
        """An instruction that does nothing in its place."""
        for address, size, _ in self._code():
            yield self._with("left out", address, NOP * (size // 2), "left out")

    def exchanged(self) -> Iterator[Mutant]:
        """Two instructions in the wrong order."""
        for (at, one, _), (then, two, _) in pairwise(self._code()):
            if at + one == then:
                data = (self.image.read(then, two) or b"") + (self.image.read(at, one) or b"")
                yield self._with("exchanged", at, data, "exchanged with the next")

    def off_by_one(self) -> Iterator[Mutant]:
        """The number in a 16-bit instruction one up or down: offsets, immediates, registers."""
        for address, size, asm in self._code():
            if size != 2:
                continue
            word = int.from_bytes(self.image.read(address, 2) or b"", "little")
            top = word >> 11
            if top in (0b00100, 0b00101, 0b00110, 0b00111, 0b01001):  # imm8
                fields = ((0, 8), (8, 3))
            elif word >> 13 == 0b011 or word >> 12 == 0b1000 or top in (0, 1, 2):  # imm5
                fields = ((6, 5), (3, 3), (0, 3))
            else:
                fields = ((0, 3),)
            for low, width in fields:
                mask = (1 << width) - 1
                for by in (1, -1):
                    new = word & ~(mask << low) | ((word >> low) + by & mask) << low
                    yield self._with(
                        "off by one", address, new.to_bytes(2, "little"), f"{asm}: {by:+d}"
                    )

    def constants(self) -> Iterator[Mutant]:
        """A constant a little off, or a mask moved to the neighbouring pin."""
        for address in self._words():
            value = self.image.word(address) or 0
            for text, new in (
                ("+1", value + 1), ("-1", value - 1),
                ("+1 %", value * 101 // 100), ("-1 %", value * 99 // 100),
                ("+5 %", value * 105 // 100), ("-5 %", value * 95 // 100),
                ("one pin up", value << 1), ("one pin down", value >> 1),
                ("two up", value << 2), ("two down", value >> 2),
                ("a port on", value + 0x400), ("a port back", value - 0x400),
            ):  # fmt: skip
                data = (new & 0xFFFF_FFFF).to_bytes(4, "little")
                yield self._with("constant", address, data, f"{value:#x} {text}")

    def vectors(self) -> Iterator[Mutant]:
        """Two entries of the vector table exchanged, one emptied, or one without its Thumb bit."""
        base = self.image.base
        entries = [
            line.address
            for line in self.image.listing.lines
            if line.kind == "vector" and line.address is not None and line.address > base
        ]
        for address in entries:
            value = self.image.word(address) or 0
            for text, new in (("emptied", 0), ("even", value & ~1), ("two further", value + 2)):
                data = new.to_bytes(4, "little")
                yield self._with("vector", address, data, text)
            for other in entries:
                if other != address:
                    data = (self.image.word(other) or 0).to_bytes(4, "little")
                    yield self._with("vector", address, data, f"that of {other:#x}")

    def _code(self) -> list[tuple[int, int, str]]:
        return [
            (line.address, line.size, line.asm)
            for line in self.image.listing.lines
            if line.kind == "code" and line.address is not None
        ]

    def _words(self) -> list[int]:
        return [
            at
            for line in self.image.listing.lines
            if line.kind == "data" and line.address is not None and line.address % 4 == 0
            for at in range(line.address, line.address + line.size - 3, 4)
        ]

    def _with(self, kind: str, address: int, data: bytes, what: str) -> Mutant:
        segments = []
        for segment in self.image.segments:
            if segment.address <= address < segment.end:
                at = address - segment.address
                whole = segment.data[:at] + data + segment.data[at + len(data) :]
                segment = Segment(segment.address, whole[: len(segment.data)])
            segments.append(segment)
        line = self.image.listing.byte_line(address)
        told = " ".join((line.asm or line.text.strip()).split()) if line else ""
        image = replace(self.image, segments=tuple(segments))
        image = replace(image, entry=image.word(image.base + 4) or 0)
        image = replace(image, initial_sp=image.word(image.base) or 0)
        return Mutant(kind, f"{address:#x} {what} [{told}]", image)


# ---------------------------------------------------------------------------- what differs


def unannounced(contract: Contract, span_ps: int, rng: random.Random) -> list[Stimulus]:
    """Presses short and long at any time, of everything that the contract presses; stray bytes."""
    made: list[Stimulus] = []
    for name in dict.fromkeys(s.subject for s in contract.stimuli if isinstance(s, Press)):
        at = 300 * MS
        while at < span_ps - 4 * SECOND:
            hold = rng.choice((80, 150, 300, 1000, 2500)) * MS + rng.randrange(20 * MS)
            made.append(Press(name, at, hold, rng.choice((0, 2, 4)) * MS))
            at += hold + rng.choice((100, 200, 600, 1700)) * MS + rng.randrange(20 * MS)
    for i in range(3):
        made.append(Send("console", span_ps * (2 * i + 1) // 7, b"x\r\n?"))
    return sorted(made, key=lambda s: s.at_ps)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a user could see of a run."""

    levels: dict[str, list[tuple[int, int | None]]]
    said: dict[str, list[SerialByte]]
    trouble: list[str]
    asleep_ppm: int


MOST_EDGES = 20_000


def look(trace: Trace, board: Board, ignored: set[str]) -> Seen:
    """Levels of pins, bytes on ports, trouble."""
    levels = {
        pin: [(0, trace.initial.get(pin)), *islice(trace.edges(pin), MOST_EDGES)]
        for pin in board.chip.pins
        if pin not in ignored and (pin in trace.moving_pins() or trace.initial.get(pin) is not None)
    }
    said: dict[str, list[SerialByte]] = {}
    for byte in trace.of(SerialByte):
        if byte.direction == "tx":
            said.setdefault(byte.port, []).append(byte)
    trouble = [f"{type(e).__name__}: {e}" for kind in (Fault, Gap) for e in trace.of(kind)]
    trouble += [f"Hazard: {h.code}" for h in trace.of(Hazard) if h.severity != "note"]
    trouble += [f"Reset: {r.cause}" for r in trace.of(Reset) if r.t_ps]
    return Seen(levels, said, trouble, trace.asleep_ps() * PPM // trace.span_ps)


def _settled(levels: Sequence[tuple[int, int | None]]) -> list[tuple[int, int | None]]:
    """Levels as a person meets them: chatter of under a millisecond left out, set-up at 0."""
    made: list[tuple[int, int | None]] = []
    for (t, level), following in zip_longest(levels, levels[1:]):
        if following is not None and following[0] - t < MS and made:
            continue
        if following is not None and following[0] <= 10 * MS and level is None:
            continue
        if made and made[-1][1] == level:
            continue
        made.append((t if t > 10 * MS or made else 0, level))
    return made


def difference(one: Seen, two: Seen, span_ps: int, free: frozenset[str] = frozenset()) -> str:
    """The first thing in which ``two`` differs visibly from ``one``, or nothing.

    ``free`` are pins that may begin either way: they are compared from their first rising edge.
    """
    new = [t for t in two.trouble if t not in one.trouble]
    if new:
        return new[0][:100]
    for pin in sorted({*one.levels, *two.levels}):
        lives = [_settled(seen.levels.get(pin, [(0, None)])) for seen in (one, two)]
        if pin in free:
            lives = [_from_rise(life) for life in lives]
        text = _levels_differ(lives[0], lives[1], span_ps)
        if text:
            return f"{pin} {text}"
    for port in sorted({*one.said, *two.said}):
        text = _said_differ(one.said.get(port, []), two.said.get(port, []), span_ps)
        if text:
            return f"{port} {text}"
    return ""


def _from_rise(levels: list[tuple[int, int | None]]) -> list[tuple[int, int | None]]:
    rises = (
        t
        for (t, level), before in zip(levels, [None, *levels], strict=False)
        if before and level == 1
    )
    first = next(rises, 0)
    return [(t - first, level) for t, level in levels if t >= first]


def _near(one: int, two: int, before: int) -> bool:
    return abs(one - two) <= 15 * MS + before // 50


def _levels_differ(
    one: list[tuple[int, int | None]], two: list[tuple[int, int | None]], span_ps: int
) -> str:
    for i, (a, b) in enumerate(zip_longest(one, two)):
        if a is None or b is None:
            t = (a or b or (0, 0))[0]
            if t < span_ps * 96 // 100 - 20 * MS:
                return f"{'does not change' if b is None else 'changes'} at {t / MS:.1f} ms"
            return ""
        if a[1] != b[1]:
            return f"is {b[1]} instead of {a[1]} at {b[0] / MS:.1f} ms"
        if not _near(a[0], b[0], a[0]):
            return f"changes at {b[0] / MS:.1f} instead of {a[0] / MS:.1f} ms"
        if i:
            long, short = a[0] - one[i - 1][0], b[0] - two[i - 1][0]
            if abs(long - short) > min(15 * MS, long // 10) + long // 50:
                return f"lasts {short / MS:.2f} instead of {long / MS:.2f} ms at {a[0] / MS:.1f} ms"
    return ""


def _text(said: Sequence[SerialByte]) -> str:
    return bytes(b.byte for b in said).decode("latin-1")


def _said_differ(one: list[SerialByte], two: list[SerialByte], span_ps: int) -> str:
    lines, others = _text(one).splitlines(keepends=True), _text(two).splitlines(keepends=True)
    if abs(len(lines) - len(others)) > 1 + len(lines) // 50:
        return f"says {len(others)} lines instead of {len(lines)}"
    for a, b in zip(lines[:-1], others[:-1], strict=False):
        digits = zip(re.findall(r"\d+", a), re.findall(r"\d+", b), strict=False)
        numbers = [(int(x), int(y)) for x, y in digits]
        if re.sub(r"\d+", "#", a) != re.sub(r"\d+", "#", b) or any(
            abs(x - y) > (30 + x // 50 if x > 999 else 0) for x, y in numbers
        ):
            return f"says {b!r} instead of {a!r}"
    for a, b in zip(one, two, strict=False):
        if not _near(a.start_ps, b.start_ps, a.start_ps):
            return f"says it at {b.start_ps / MS:.1f} instead of {a.start_ps / MS:.1f} ms"
        if abs(a.baud_mhz - b.baud_mhz) * 50 > a.baud_mhz or a.error != b.error:
            return f"at {b.baud_mhz // 1000} baud {b.error}"
    return ""


# ---------------------------------------------------------------------------- the score


@dataclass(slots=True)
class Score:
    """What became of the mutants of one prompt."""

    prompt: str
    counts: Counter[str] = field(default_factory=Counter)
    escapes: list[str] = field(default_factory=list)
    by_kind: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, mutant: Mutant, outcome: str) -> None:
        self.counts[outcome] += 1
        self.by_kind[mutant.kind, outcome] += 1

    @property
    def departing(self) -> int:
        return self.counts["fail"] + self.counts["unsure"] + self.counts["escape"]


def run(
    image: Image, stimuli: Sequence[Stimulus], span_ps: int, board: Board, *,
    chance: int = 0, patience_s: float = PATIENCE_S,
) -> Trace:  # fmt: skip
    """As the bench does, but given up after a while: the trace then ends early."""
    with Machine(board, chance=chance) as machine:
        machine.load(image)
        for stimulus in stimuli:
            machine.stimulate(stimulus)
        began = time.process_time()
        step = max(STEP_PS, span_ps // 500)
        for until in range(step, span_ps + step, step):
            machine.advance(min(until, span_ps))
            if time.process_time() - began > patience_s:
                break
        return machine.trace()


def examine(prompt: str, board: Board, most: int | None, draws: int, seed: str) -> Score:
    """Make and judge all mutants of one prompt's image."""
    proof = pipeline.generate(prompt, board).proof
    contract, score = proof.contract, Score(prompt)
    rng = random.Random(f"{seed} {prompt}")
    span = max(LONGER * contract.span_ps, 30 * SECOND)
    stimuli = unannounced(contract, span, rng)
    ignored = {pin_of(board, s.subject) for s in contract.stimuli if isinstance(s, (Press, Drive))}
    console = board.console
    if console is not None:
        ignored.add(console.rx)
    free = frozenset(
        pin_of(board, e.subject)
        for e in contract.expectations
        if isinstance(e, Blinks) and e.starts is None and e.phase is None
    )
    reference = look(run(proof.image, stimuli, span, board, patience_s=60), board, ignored)
    for mutant in Maker(proof.image, rng).all(most, draws):
        for chance in (0, 1):  # as fwgen does: what passes runs again by another chance
            trace = run(mutant.image, contract.stimuli, contract.span_ps, board, chance=chance)
            outcome = judge(contract, trace, board).outcome
            if outcome is not Outcome.PASS:
                break
        if outcome is not Outcome.PASS:
            score.add(mutant, outcome.value)
            continue
        trace = run(mutant.image, stimuli, span, board, patience_s=LONGER * PATIENCE_S)
        if trace.span_ps < span:  # it only computes: nothing to compare with
            score.add(mutant, "awake")
            continue
        seen = look(trace, board, ignored)
        differs = difference(reference, seen, span, free)
        if differs:
            score.add(mutant, "escape")
            score.escapes.append(f"{mutant.kind} {mutant.where}: {differs}")
        elif seen.asleep_ppm < reference.asleep_ppm - 10_000:
            score.add(mutant, "awake")
        else:
            score.add(mutant, "same")
    return score


def pin_of(board: Board, subject: str) -> str:
    from fwgen.contract.subjects import resolve

    return resolve(subject, board).pin


HEAD = ("prompt", "mutants", "fail", "unsure", "pass: the same", "the same, less asleep",
        "escape", "caught")  # fmt: skip


def rows(scores: Sequence[Score]) -> list[tuple[str, ...]]:
    made = []
    whole = Score("**all**")
    for score in scores:
        whole.counts += score.counts
    for score in (*scores, whole):
        c = score.counts
        caught = 100 * (c["fail"] + c["unsure"]) / max(1, score.departing)
        made.append((
            score.prompt, str(c.total()), str(c["fail"]), str(c["unsure"]), str(c["same"]),
            str(c["awake"]), str(c["escape"]), f"{caught:.2f} %",
        ))  # fmt: skip
    return made


def kinds(scores: Sequence[Score]) -> list[tuple[str, ...]]:
    total: Counter[tuple[str, str]] = Counter()
    for score in scores:
        total += score.by_kind
    made = []
    for kind in dict.fromkeys(kind for kind, _ in total):
        c = {outcome: total[kind, outcome] for outcome in ("fail", "unsure", "escape")}
        caught = 100 * (c["fail"] + c["unsure"]) / max(1, sum(c.values()))
        count = sum(n for (k, _), n in total.items() if k == kind)
        made.append((kind, str(count), str(c["escape"]), f"{caught:.2f} %"))
    return made


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--only", default="", help="only prompts that hold this text")
    options.add_argument("--each", type=int, help="at most so many mutants of each kind")
    options.add_argument("--random", type=int, default=100, help="random slips for each image")
    options.add_argument("--seed", default="1")
    chosen = options.parse_args()
    board = load_board(BOARD)
    scores = []
    for prompt in PROMPTS:
        if chosen.only not in prompt:
            continue
        began = time.process_time()
        try:
            score = examine(prompt, board, chosen.each, chosen.random, chosen.seed)
        except FwgenError as error:
            print(f"{prompt}: {error}", file=sys.stderr)
            return 2
        scores.append(score)
        took = time.process_time() - began
        print(f"{prompt}: {dict(score.counts)} in {took:.0f} s", file=sys.stderr, flush=True)
        for escape in score.escapes:
            print(f"  escape: {escape}", file=sys.stderr, flush=True)
    import tools

    text = tools.table(HEAD, rows(scores))
    text += "\n\n" + tools.table(("alteration", "mutants", "escape", "caught"), kinds(scores))
    print(text)
    return 1 if any(score.counts["escape"] for score in scores) else 0


if __name__ == "__main__":
    sys.exit(main())
