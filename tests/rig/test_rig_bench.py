"""The rig as a bench, on a virtual board: what it sees, what it cannot, what it says of it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fwgen.contract import Analog, Asleep, Contract, Drive, Follows, Level, Press, Quiet, Send
from fwgen.hil.needs import needs_of
from fwgen.machine.machine import Machine
from fwgen.rig.bench import RigBench
from fwgen.rig.connection import Connection
from fwgen.rig.ports import open_port
from fwgen.rig.probes import choose_probe
from fwgen.trace import Fault, Looked, NotDone, Reset, SerialByte, Stimulated
from fwgen.units import PPM
from fwgen.verdict import Outcome, judge
from fwgen.virtual.board import VirtualBoard
from tests.rig.bench_firmware import image_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MS = 10**9
SPAN = 150 * MS


class Wire:
    """A wire to a pin of a virtual board; a broken one moves nothing."""

    def __init__(self, virtual, pin, *, broken=False) -> None:
        self.virtual, self.pin, self.broken = virtual, pin, broken

    def drive(self, level, at_ps):
        with self.virtual.lock:
            at_ps = max(at_ps, self.virtual.now_ps)
            if not self.broken:
                self.virtual.machine.stimulate(Drive(self.pin, at_ps, level))
        return at_ps, at_ps


@contextmanager
def rig(board, *, serial=False, pins=("PA5",), probe=None, **options) -> Iterator[RigBench]:
    with VirtualBoard(board) as virtual, virtual.plugged(probe):
        chosen = choose_probe(board, virtual.uid)
        with Connection(board, chosen, clock=virtual) as connection:
            bench = RigBench(connection, clock=virtual, pins=pins, backup=False, **options)
            if not serial:
                yield bench
                return
            with open_port(f"fwgen://{virtual.uid}", baud=115_200) as port:
                bench.port = port
                yield bench


def run(board, name, stimuli=(), span=SPAN, wires=(), broken=False, **options):
    with rig(board, **options) as bench:
        virtual = bench.clock
        bench.wires = {pin: Wire(virtual, pin, broken=broken) for pin in wires}
        return bench.run(image_of(name), stimuli, span)


def test_a_pin_is_seen_where_it_changes_give_or_take_a_look(board) -> None:
    trace = run(board, "lit")
    truth = Machine(board).run(image_of("lit"), (), SPAN)
    (true, _), *_ = [(t, level) for t, level in truth.edges("PA5") if level == 1]
    (seen, _), *_ = [(t, level) for t, level in trace.edges("PA5") if level == 1]
    blur = trace.runs("PA5")[-1].blur_ps + trace.watched.zero_ps
    assert abs(true - seen) <= blur
    assert trace.initial["PA5"] is None
    assert trace.initial["PC13"] == 1
    assert trace.initial["PA13"] == 1
    assert trace.span_ps >= SPAN
    assert set(trace.watched.pins) == set(board.chip.pins) - {"PB11"} & set(board.chip.pins)
    assert trace.watched.pins["PA5"].every_ps < 4 * MS


@pytest.mark.parametrize("probe", ["stlink", "cmsis-dap"])
def test_any_probe_will_do(board, probe) -> None:
    trace = run(board, "lit", probe=probe)
    assert trace.level("PA5", SPAN - 1) == 1


def test_nothing_but_what_was_asked_for_moves(board) -> None:
    contract = Contract("t", board.name, SPAN, (), (Quiet(("LD2",)), Level("LD2", 1)))
    verdict = judge(contract, run(board, "lit"), board)
    assert [f.outcome for f in verdict.findings] == [Outcome.PASS, Outcome.PASS]
    assert "looked at every" in verdict.findings[0].text


# ---------------------------------------------------------------------------- faults, resets


@pytest.mark.parametrize("name", ["nowhere", "undefined", "even"])
def test_a_fault_reads_as_it_does_in_the_machine(board, name) -> None:
    (seen,) = run(board, name).of(Fault)
    true = next(Machine(board).run(image_of(name), (), SPAN).of(Fault))
    assert (seen.exception, seen.reason, seen.pc) == (true.exception, true.reason, true.pc)
    # What the firmware never wrote still holds what flashing left there.
    written = ("r0", "r1", "r2", "sp", "lr", "pc", "xpsr")
    assert [seen.registers[r] for r in written] == [true.registers[r] for r in written]
    assert abs(seen.t_ps - true.t_ps) < 10 * MS

    def lines(fault):
        rows = ("r0 ", "r4 ", "r8 ", "r12 ")
        lines = [x for x in fault.report.splitlines()[1:] if not x.strip().startswith(rows)]
        # Of code that no listing knows, the machine shows as much as ran.
        return lines if fault.pc >= board.chip.flash.base else lines[: lines.index("")]

    assert lines(seen) == lines(true)


def test_a_board_that_faults_goes_on_as_it_would_without_us(board) -> None:
    trace = run(board, "nowhere", span=400 * MS)
    assert len(list(trace.of(Fault))) == 1
    assert trace.level("PA5", 399 * MS) == 1
    assert trace.span_ps >= 400 * MS


def test_resets_are_seen_with_their_cause(board) -> None:
    truth = [e for e in Machine(board).run(image_of("reset"), (), SPAN).of(Reset) if e.t_ps]
    seen = [e for e in run(board, "reset").of(Reset) if e.t_ps < SPAN]
    assert len(truth) >= 2
    assert [e.cause for e in seen] == [e.cause for e in truth]
    for one, two in zip(seen, truth, strict=True):
        assert abs(one.t_ps - two.t_ps) < 10 * MS


# ---------------------------------------------------------------------------- sleep


@pytest.mark.parametrize(("name", "share"), [("lit", (600_000, 680_000)), ("busy", (0, 0))])
def test_sleep_is_sampled(board, name, share) -> None:
    trace = run(board, name)
    times = sum(look.times for look in trace.of(Looked))
    asleep = sum(look.asleep for look in trace.of(Looked))
    assert times > 15
    assert share[0] - 150_000 <= asleep * PPM // times <= share[1] + 150_000
    contract = Contract("t", board.name, SPAN, (), (Asleep(990_000), Asleep(1)))
    outcomes = [f.outcome for f in judge(contract, trace, board).findings]
    assert outcomes[0] is Outcome.FAIL
    assert outcomes[1] is (Outcome.PASS if name == "lit" else Outcome.UNSURE)


# ---------------------------------------------------------------------------- stimuli


def test_a_press_without_a_wire_is_not_done_and_the_trace_says_why(board) -> None:
    press = Press("B1", 20 * MS, 50 * MS)
    trace = run(board, "lit", (press,))
    (left,) = trace.of(NotDone)
    assert (left.t_ps, left.subject) == (20 * MS, "B1")
    assert left.why == "nothing is wired to PC13"
    contract = Contract("t", board.name, SPAN, (press,), (Level("LD2", 1),))
    verdict = judge(contract, trace, board)
    assert verdict.findings[0].outcome is Outcome.UNSURE
    assert "nothing is wired to PC13" in verdict.findings[0].text
    assert verdict.exit_code == 3


def test_a_voltage_is_not_done_and_what_follows_on_it_is_unsure(board) -> None:
    volts = (Analog("A0", 0, ((0, 10**6),)), Analog("A0", 20 * MS, ((0, 2 * 10**6),)))
    trace = run(board, "lit", volts)
    assert {e.why for e in trace.of(NotDone)} == {"nothing on this rig gives a voltage"}
    follows = Follows("LD2", "A0", latency_ps=40 * MS, above_uv=1_500_000)
    verdict = judge(Contract("t", board.name, SPAN, volts, (follows,)), trace, board)
    assert verdict.findings[0].outcome is Outcome.UNSURE
    assert needs_of(verdict.contract, board) == ("voltage A0",)


def test_a_press_through_a_wire_moves_its_pin(board) -> None:
    press = Press("B1", 20 * MS, 50 * MS, 4 * MS)
    trace = run(board, "lit", (press,), wires=("PC13",))
    assert [e.subject for e in trace.of(Stimulated)] == ["B1"]
    edges = list(trace.edges("PC13"))
    assert [level for _, level in edges] == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert abs(edges[0][0] - 20 * MS) <= trace.watched.zero_ps
    assert abs(edges[-1][0] - 74 * MS) <= trace.watched.zero_ps
    assert trace.watched.pins["PC13"].every_ps == 0  # it is known, not looked at


def test_a_wire_that_does_not_reach_its_pin_is_found_out(board) -> None:
    high = Drive("PA0", 20 * MS, 1)
    trace = run(board, "lit", (high,), wires=("PA0",), broken=True)
    assert not list(trace.of(Stimulated))
    (left,) = trace.of(NotDone)
    assert left.why == "the wire to PA0 does not move it"
    done = run(board, "lit", (high,), wires=("PA0",))
    assert not list(done.of(NotDone))
    assert done.level("PA0", 60 * MS) == 1


def test_text_without_a_port_or_at_another_rate_is_not_sent(board) -> None:
    sends = (Send("console", 20 * MS, b"x"), Send("console", 40 * MS, b"x", 9600))
    assert [e.why for e in run(board, "lit", sends).of(NotDone)] == [
        "no serial port is connected"
    ] * 2
    told = list(run(board, "lit", sends, serial=True).of(NotDone))
    assert [e.why for e in told] == ["the port is open at 115200 baud"]


def test_text_that_is_sent_is_told_and_what_comes_back_is_heard(board) -> None:
    from tests.virtual.serial import firmware

    with rig(board, serial=True) as bench:
        trace = bench.run(firmware.echo(), (Send("console", 50 * MS, b"hello\n"),), SPAN)
    rx = [e for e in trace.of(SerialByte) if e.direction == "rx"]
    tx = [e for e in trace.of(SerialByte) if e.direction == "tx"]
    assert bytes(e.byte for e in rx) == bytes(e.byte for e in tx) == b"hello\n"
    heard = trace.watched.ports["USART2"]
    assert heard.baud == 115_200
    assert abs(tx[0].t_ps - rx[0].t_ps) <= 2 * heard.blur_ps + MS


# ---------------------------------------------------------------------------- the bench itself


def test_a_second_run_flashes_nothing_and_sees_the_same(board) -> None:
    with rig(board) as bench:
        one = bench.run(image_of("lit"), (), SPAN)
        assert bench.programmed.programmed
        two = bench.run(image_of("lit"), (), SPAN)
        assert not bench.programmed.programmed
    assert [e.level for e in one.events if hasattr(e, "level")] == [
        e.level for e in two.events if hasattr(e, "level")
    ]


def test_the_same_board_gives_the_same_trace(board) -> None:
    one, two = run(board, "reset"), run(board, "reset")
    assert one.events == two.events
    assert replace(one.watched, means="") == replace(two.watched, means="")


def test_the_board_is_left_running_with_nothing_caught(board) -> None:
    with rig(board) as bench:
        bench.run(image_of("lit"), (), SPAN)
        assert bench.connection.read_word(0xE000_EDFC) & 0x7F0 == 0
        assert not bench.connection.halted
