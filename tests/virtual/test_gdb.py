"""gdb's protocol on the machine: packet by packet, and by gdb itself."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.errors import BenchError
from fwgen.image.write import write_elf
from fwgen.machine.machine import Machine
from fwgen.units import PS_PER_MS
from fwgen.virtual.gdb import GdbServer
from fwgen.virtual.gdb.packets import INTERRUPT, Reader, escaped, framed, unescaped
from tests.machine.core.firmware import firmware

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEP_PS = 10 * PS_PER_MS
GDB = shutil.which("gdb-multiarch")
COUNTS = "start: movs r0, #0\nldr r1, =0x20000100\nagain: adds r0, #1\nstr r0, [r1, #0]\nb again\n"
CALLS = """
    start: ldr r1, =0x20000100
        movs r0, #0
    again: bl work
        str r0, [r1, #0]
        b again
    work: adds r0, #1
        nop
        nop
        bx lr
"""
TICKS = """
    start: ldr r0, =0xe000e010
        ldr r1, =15999
        str r1, [r0, #4]
        movs r1, #7
        str r1, [r0, #0]
        movs r4, #0
    nap: wfi
        adds r4, #1
        b nap
    tick: adds r5, #1
        bx lr
"""


class Client:
    """The other end, as bare as can be: one packet, one answer."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._reader = Reader()
        self._packets: list[bytes] = []

    def send(self, text: str | bytes) -> None:
        self._socket.sendall(framed(text.encode() if isinstance(text, str) else text))

    def interrupt(self) -> None:
        self._socket.sendall(INTERRUPT)

    def hear(self) -> str:
        while not self._packets:
            data = self._socket.recv(65536)
            assert data, "hung up"
            self._packets += [p for p in self._reader.feed(data) if p is not None]
        return self._packets.pop(0).decode()

    def ask(self, text: str | bytes) -> str:
        self.send(text)
        return self.hear()

    def register(self, number: int) -> int:
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def close(self) -> None:
        self._socket.close()


class Bench:
    """A machine, its server, and a thread that lets time pass."""

    def __init__(self, text: str, vectors: dict[int, str] | None) -> None:
        self.machine = Machine(load_board("nucleo-f401"), patience_s=None)
        image = firmware(text, vectors)
        self.machine.load(image)
        self.labels = {symbol.name: symbol.address & ~1 for symbol in image.symbols}
        self.server = GdbServer(self.machine)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while not self.over.is_set() and not self.server.killed:
            if self.server.poll(0.01):
                self.machine.advance(self.machine.core.now_ps + STEP_PS)

    def close(self) -> None:
        self.over.set()
        self.thread.join()
        self.server.close()
        self.machine.close()


@contextmanager
def debugged(
    text: str, vectors: dict[int, str] | None = None
) -> Iterator[tuple[Client, dict[str, int]]]:
    bench = Bench(text, vectors)
    client = Client(bench.server.address)
    try:
        yield client, bench.labels
    finally:
        client.close()
        bench.close()


# ---------------------------------------------------------------------------- packets


@given(st.binary(max_size=200))
def test_what_is_escaped_has_no_marks_in_it_and_comes_back(data: bytes) -> None:
    assert not set(escaped(data)) & set(b"#$*")
    assert unescaped(escaped(data)) == data


@given(st.lists(st.binary(max_size=30), max_size=8), st.data())
def test_packets_come_whole_however_they_are_cut(
    payloads: list[bytes], data: st.DataObject
) -> None:
    wire = b"".join(framed(escaped(p)) + b"+" for p in payloads) + INTERRUPT
    reader, got = Reader(), []
    while wire:
        piece = data.draw(st.integers(1, len(wire)))
        got += list(reader.feed(wire[:piece]))
        wire = wire[piece:]
    assert [unescaped(p or b"") for p in got[:-1]] == payloads
    assert got[-1] == INTERRUPT


def test_a_garbled_packet_is_told_and_the_next_one_is_heard() -> None:
    assert list(Reader().feed(b"$abc#00$g#67")) == [None, b"g"]


def test_a_packet_without_end_fills_no_memory() -> None:
    reader = Reader()
    assert list(reader.feed(b"$" + b"a" * 100_000)) == [None]
    assert list(reader.feed(framed(b"g"))) == [b"g"]


# ---------------------------------------------------------------------------- what it does


def test_it_stands_at_the_reset_vector_and_steps() -> None:
    with debugged(COUNTS) as (gdb, labels):
        assert gdb.ask("?") == "T05thread:1;"
        assert gdb.register(15) == labels["start"]
        assert gdb.ask("vCont;s:1") == "T05thread:1;"
        assert gdb.register(15) == labels["start"] + 2
        assert gdb.ask(f"vCont;r{labels['start']:x},{labels['again']:x}") == "T05thread:1;"
        assert gdb.register(15) == labels["again"]


def test_breakpoints_stop_before_the_instruction_as_often_as_it_comes() -> None:
    with debugged(COUNTS) as (gdb, labels):
        assert gdb.ask(f"Z1,{labels['again']:x},2") == "OK"
        gdb.ask("c")
        assert gdb.register(0) == 0
        # As gdb does: the breakpoint is taken out for a step, before it goes on.
        assert gdb.ask(f"z1,{labels['again']:x},2") == "OK"
        gdb.ask("s")
        gdb.ask(f"Z1,{labels['again']:x},2")
        gdb.ask("c")
        assert gdb.register(0) == 1
        gdb.ask(f"z1,{labels['again']:x},2")
        gdb.send("c")
        gdb.interrupt()
        assert gdb.hear() == "T02thread:1;"
        assert gdb.register(0) > 1


def test_watchpoints_say_what_was_touched() -> None:
    with debugged(COUNTS) as (gdb, _):
        assert gdb.ask("Z2,20000100,4") == "OK"
        assert gdb.ask("c") == "T05watch:20000100;thread:1;"
        assert gdb.ask("m20000100,4") == "01000000"
        assert gdb.ask("c") == "T05watch:20000100;thread:1;"
        assert gdb.ask("m20000100,4") == "02000000"


def test_memory_and_registers_can_be_set_and_what_is_not_there_cannot() -> None:
    with debugged(COUNTS) as (gdb, _):
        assert gdb.ask("M20000003,6:0102030405ff") == "OK"
        assert gdb.ask("m20000003,6") == "0102030405ff"
        assert gdb.ask(b"X20000000,2:" + escaped(b"#}")) == "OK"
        assert gdb.ask("m20000000,2") == "237d"
        assert gdb.ask("P3=78563412") == "OK"
        assert gdb.register(3) == 0x12345678
        whole = gdb.ask("g")
        assert gdb.ask("G" + "11" * 4 + whole[8:]) == "OK"
        assert gdb.register(0) == 0x11111111
        for nonsense in ("m60000000,4", "M60000000,1:00", "p99", "P1=00", "mxyz", "m", "G0"):
            assert gdb.ask(nonsense).startswith("E"), nonsense
        assert gdb.ask("!") == gdb.ask("vUnheard") == gdb.ask("qUnheard") == ""


def test_every_register_of_the_description_can_be_written_and_read() -> None:
    with debugged(COUNTS) as (gdb, _):
        document = gdb.ask("qXfer:features:read:target.xml:0,3ff0")
        assert document.startswith("l")
        for name, size in (("d15", 8), ("basepri", 1), ("msp", 4), ("r7", 4)):
            number = int(
                document.split(f'<reg name="{name}"')[1].split('regnum="')[1].split('"')[0]
            )
            assert gdb.ask(f"P{number:x}={'40' * size}") == "OK"
            assert gdb.ask(f"p{number:x}") == "40" * size


def test_a_step_over_wfi_sleeps_until_the_core_is_woken() -> None:
    with debugged(TICKS, {15: "tick"}) as (gdb, labels):
        gdb.ask(f"Z1,{labels['nap']:x},2")
        gdb.ask("c")
        gdb.ask(f"z1,{labels['nap']:x},2")
        before = gdb.ask("qRcmd," + b"time".hex())
        gdb.ask("s")
        assert gdb.register(15) == labels["nap"] + 2
        assert gdb.register(5) == 1, "the handler ran"
        awake = bytes.fromhex(gdb.ask("qRcmd," + b"time".hex())).decode()
        assert awake.startswith("1."), f"a millisecond has passed since {before}"


def test_a_fault_is_caught_where_its_handler_begins() -> None:
    with debugged("start: ldr r0, =0x60000000\nldr r1, [r0, #0]\nb start\n") as (gdb, _):
        assert gdb.ask("c") == "T0bthread:1;"


def test_while_it_is_halted_nothing_moves() -> None:
    with debugged(TICKS, {15: "tick"}) as (gdb, labels):
        gdb.ask(f"Z1,{labels['nap'] + 2:x},2")
        told = []
        for _ in range(2):
            gdb.ask("c")
            told.append((gdb.ask("qRcmd," + b"time".hex()), gdb.ask("me000e018,4")))
            threading.Event().wait(0.05)
            assert told[-1] == (gdb.ask("qRcmd," + b"time".hex()), gdb.ask("me000e018,4"))


def test_reset_keeps_ram_and_halts_at_the_vector() -> None:
    with debugged(COUNTS) as (gdb, labels):
        gdb.ask(f"Z1,{labels['again']:x},2")
        gdb.ask("c")
        gdb.ask("M20000200,4:aabbccdd")
        said = bytes.fromhex(gdb.ask("qRcmd," + b"reset halt".hex())).decode()
        assert "halted before the first instruction" in said
        assert gdb.register(15) == labels["start"]
        assert gdb.ask("m20000200,4") == "aabbccdd"
        assert gdb.ask("?") == "T05thread:1;"
        assert "monitor help" in bytes.fromhex(gdb.ask("qRcmd," + b"dance".hex())).decode()


def test_who_hangs_up_leaves_a_board_that_runs_and_another_may_come() -> None:
    bench = Bench(COUNTS, None)
    try:
        first = Client(bench.server.address)
        first.ask(f"Z1,{bench.labels['again']:x},2")
        refused = Client(bench.server.address)
        with pytest.raises((AssertionError, ConnectionError)):
            refused.ask("?")
        refused.close()
        first.close()
        until = time.monotonic() + 10
        while bench.machine.core.now_ps < 2 * STEP_PS and time.monotonic() < until:
            time.sleep(0.001)
        second = Client(bench.server.address)
        second.ask("?")
        assert second.register(0) > 0, "it ran, past the breakpoint"
        assert second.ask("D") == "OK"
        second.close()
        third = Client(bench.server.address)
        third.ask("?")
        third.send("k")
        bench.thread.join(10)
        assert bench.server.killed
        third.close()
    finally:
        bench.close()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("localhost", 0)) as taken, Machine(load_board("nucleo-f401")) as it:
        it.load(firmware(COUNTS))
        with pytest.raises(BenchError, match="gdb cannot be served at localhost"):
            GdbServer(it, port=taken.getsockname()[1])


@pytest.mark.skipif(GDB is None, reason="gdb-multiarch is not installed")
def test_gdb_says_the_same_in_every_run(tmp_path: Path) -> None:
    script = tmp_path / "script.gdb"

    def told() -> str:
        bench = Bench(TICKS, {15: "tick"})
        nap = bench.labels["nap"]
        script.write_text(f"""
set confirm off
target remote {bench.server.address}
hbreak *{nap + 2:#x}
continue
continue
continue
info registers
monitor time
watch *(int*)0xe000e010
stepi
x/2i $pc
p $d3
detach
""")
        try:
            ran = subprocess.run(
                [str(GDB), "-nx", "-batch", "-x", str(script)],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        finally:
            bench.close()
        return ran.stdout + ran.stderr

    first = told()
    assert "r5             0x3" in first
    assert "cycles awake" in first
    assert first == told()


# ---------------------------------------------------------------------------- back in time


def test_it_says_that_it_can_go_back() -> None:
    with debugged(COUNTS) as (gdb, _):
        said = gdb.ask("qSupported:multiprocess+").split(";")
        assert {"ReverseStep+", "ReverseContinue+"} <= set(said)
        assert gdb.ask("b") == gdb.ask("bx") == ""


def test_back_by_steps_and_to_the_beginning_which_is_told() -> None:
    with debugged(COUNTS) as (gdb, labels):
        assert gdb.ask("bs") == "T05replaylog:begin;thread:1;"
        gdb.ask("s")
        gdb.ask("s")
        place = gdb.register(15)
        gdb.ask("s")
        assert gdb.ask("bs") == "T05thread:1;"
        assert gdb.register(15) == place
        assert gdb.ask("bc") == "T05replaylog:begin;thread:1;"
        assert gdb.register(15) == labels["start"]
        assert gdb.ask("bc") == "T05replaylog:begin;thread:1;"


def test_back_to_breaks_which_still_hold_forward() -> None:
    with debugged(COUNTS) as (gdb, _):
        gdb.ask("Z2,20000100,4")
        for count in (1, 2, 3):
            assert gdb.ask("c") == "T05watch:20000100;thread:1;"
            assert gdb.register(0) == count
        assert gdb.ask("bc") == "T05watch:20000100;thread:1;"
        assert gdb.ask("m20000100,4") == "02000000", "3 is not yet written"
        assert gdb.ask("bc") == "T05watch:20000100;thread:1;"
        assert gdb.ask("m20000100,4") == "01000000"
        assert gdb.ask("c") == "T05watch:20000100;thread:1;"
        assert gdb.ask("m20000100,4") == "02000000"


def test_the_way_back_can_be_interrupted_and_nothing_has_moved() -> None:
    with debugged(COUNTS) as (gdb, labels):
        gdb.send("c")
        time.sleep(0.3)
        gdb.interrupt()
        assert gdb.hear() == "T02thread:1;"
        stood = gdb.ask("g"), gdb.ask("qRcmd," + b"time".hex())
        gdb.ask(f"Z1,{labels['forever']:x},2")  # never comes: every loop is run, step by step
        gdb.send("bc")
        gdb.interrupt()
        assert gdb.hear() == "T02thread:1;"
        assert (gdb.ask("g"), gdb.ask("qRcmd," + b"time".hex())) == stood


def test_a_board_that_ran_before_is_told_to_have_no_past() -> None:
    with Machine(load_board("nucleo-f401")) as machine:
        machine.load(firmware(COUNTS))
        machine.advance(PS_PER_MS)
        server = GdbServer(machine)
        over = threading.Event()
        thread = threading.Thread(target=lambda: [server.poll(0.01) for _ in iter(over.is_set, 1)])
        thread.start()
        client = Client(server.address)
        try:
            said = client.ask("bs")
            assert bytes.fromhex(said[1:]).decode() == (
                "there is no way back: the board ran before the debugger came\n"
            )
            assert client.hear() == "T05thread:1;"
        finally:
            client.close()
            over.set()
            thread.join()
            server.close()


@pytest.mark.skipif(GDB is None, reason="gdb-multiarch is not installed")
def test_gdb_goes_back_by_all_its_commands(tmp_path: Path) -> None:
    bench = Bench(CALLS, None)
    write_elf(firmware(CALLS), tmp_path / "calls.elf")
    work = bench.labels["work"]
    (tmp_path / "script.gdb").write_text(f"""
set confirm off
set pagination off
target remote {bench.server.address}
hbreak *{work:#x}
continue
continue
continue
printf "third: %d at %#x\\n", $r0, $pc
stepi
stepi
printf "forward: %d at %#x\\n", $r0, $pc
reverse-stepi
printf "back: %d at %#x\\n", $r0, $pc
reverse-continue
printf "called: %d at %#x\\n", $r0, $pc
reverse-continue
printf "second: %d at %#x\\n", $r0, $pc
stepi
delete
reverse-finish
printf "finished: %d at %#x\\n", $r0, $pc
watch *(int*)0x20000100
reverse-continue
printf "written: %d, now %d\\n", *(int*)0x20000100, $r0
delete
reverse-continue
printf "beginning: %#x\\n", $pc
hbreak *{work + 2:#x}
continue
printf "again: %d\\n", $r0
detach
""")
    try:
        ran = subprocess.run(
            [str(GDB), "-nx", "-batch", "-x", "script.gdb", "calls.elf"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        bench.close()
    said, again = ran.stdout, bench.labels["again"]
    assert f"third: 2 at {work:#x}\n" in said, ran.stderr
    assert f"forward: 3 at {work + 4:#x}\n" in said
    assert f"back: 3 at {work + 2:#x}\n" in said
    assert f"called: 2 at {work:#x}\n" in said
    assert f"second: 1 at {work:#x}\n" in said
    assert f"finished: 1 at {again:#x}\n" in said
    assert "Old value = 1\nNew value = " in said
    assert "No more reverse-execution history" in said
    assert f"beginning: {bench.labels['start']:#x}\n" in said
    assert "again: 1\n" in said
