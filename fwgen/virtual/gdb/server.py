"""A gdb server on a machine: one client at a time, and whoever has the machine lets time pass.

    server = GdbServer(machine, port=3333)
    while not server.killed:
        if server.poll(0.02):                       # the core may run
            machine.advance(machine.core.now_ps + STEP_PS)

Not supported: several threads, non-stop, file transfer.
"""

from __future__ import annotations

import re
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from fwgen.errors import BenchError
from fwgen.units import show_duration
from fwgen.virtual.gdb.history import CannotGoBackError, History
from fwgen.virtual.gdb.packets import INTERRUPT, LONGEST, Reader, escaped, framed, unescaped
from fwgen.virtual.gdb.registers import description, memory_map
from fwgen.virtual.gdb.target import SIGINT, SIGTRAP, Target, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fwgen.machine.machine import Machine
    from fwgen.virtual.gdb.history import Found
    from fwgen.virtual.gdb.registers import Register

OK, UNKNOWN = b"OK", b""
ERROR = b"E01"
HELP = """\
reset   reset the chip and halt before its first instruction
time    how long the board has run, and for how many cycles the core was awake
help    this
"""


class GdbServer:
    """Serves gdb on ``host``; ``port`` 0 picks a free one, ``address`` says which.

    The machine has an image loaded and starts halted, until a client lets it run. ``went_back`` is
    called after a client went back in time. What is done to the board from outside is done through
    the machine's methods. Raises BenchError when the port is taken.
    """

    def __init__(self, machine: Machine, *, host: str = "localhost", port: int = 0) -> None:
        self._machine = machine
        self.target = Target(machine)
        try:
            self._listener = socket.create_server((host, port))
        except (OSError, OverflowError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]
            raise BenchError(
                f"gdb cannot be served at {host}:{port}: {reason}", hint="choose another port"
            ) from None
        self.killed = False  # a client wants the run to end
        self._client: socket.socket | None = None
        self._reader = Reader()
        self._acknowledged = True
        self._going = False  # the client waits for a stop reply
        self._interrupted = False
        self._until: tuple[int, int] | None = None  # a range that is stepped through
        self._erased: list[tuple[int, int]] = []
        self.went_back: Callable[[], None] = lambda: None
        self._way: Generator[None, None, Found] | None = None  # back, that is being gone
        self._history = History(machine, self.target)
        self._history.do(Target.attach)

    @property
    def address(self) -> str:
        """Where it listens, as ``target remote`` takes it."""
        host, port = self._listener.getsockname()[:2]
        return f"{host}:{port}"

    @property
    def attached(self) -> bool:
        """Whether somebody debugs."""
        return self._client is not None

    def close(self) -> None:
        """Hang up."""
        self._give_up()
        if self._client is not None:
            with suppress(OSError):
                self._client.close()
        self._client = None
        self._listener.close()

    def ended(self) -> None:
        """The run is over: whoever waits is told."""
        if self._going:
            self._going = False
            self._send(b"W00")

    # ------------------------------------------------------------------ between two steps of time

    def poll(self, wait_s: float) -> bool:
        """Hear the client, ``wait_s`` seconds at most while halted; whether the core may run."""
        if self._way is not None:
            self._go_back(self._way)
            wait_s = 0
        elif self._going and not self.target.running:
            self._stopped()
        waiting = [self._listener, *([self._client] if self._client is not None else [])]
        halted = not self.target.running
        ready = select.select(waiting, [], [], wait_s if halted else 0)[0]
        if self._client in ready:
            self._hear()  # who hangs up makes room for the next
        if self._listener in ready:
            self._accept()
        return self.target.running

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._client is not None:  # one at a time
            client.close()
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client, self._reader, self._acknowledged = client, Reader(), True
        self._going = self._interrupted = False
        self._history.do(Target.attach)

    def _hear(self) -> None:
        assert self._client is not None
        try:
            data = self._client.recv(2 * LONGEST)
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        for packet in self._reader.feed(data):
            if packet == INTERRUPT:
                self._interrupt()
            elif packet is None:
                self._raw(b"-")
            else:
                if self._acknowledged:
                    self._raw(b"+")
                self._obey(packet)

    def _hang_up(self) -> None:
        """The client is gone: the board runs on, and another may come."""
        if self._client is not None:
            self._client.close()
            self._client = None
            self._history.do(Target.detach)
        self._going = False
        self._give_up()

    def _interrupt(self) -> None:
        if self._way is not None:  # it stands where it stood
            self._give_up()
            self._send(f"T{SIGINT:02x}thread:1;".encode())
        elif self._going:
            self._interrupted, self._until = True, None
            self._history.do(Target.halt)
            self._stopped()

    def _stopped(self) -> None:
        """The core halted: a range is stepped on, or the client hears."""
        self._history.do(Target.stood)
        signal, more = self.target.reason()
        if self._until is not None and signal == SIGTRAP and not more:
            pc = int.from_bytes(self.target.registers[15].read(self._machine.core.debug), "little")
            if self._until[0] <= pc < self._until[1]:
                self._history.do(Target.step, goes=True)
                return
        self._going, self._until = False, None
        self._send(self._stop_reply())

    def _go_back(self, way: Generator[None, None, Found]) -> None:
        """Go on for a moment, and tell the client once one is there."""
        more = ""
        try:
            next(way)
        except StopIteration as there:
            found: Found = there.value
            if found.at_start:
                more = "replaylog:begin;"
            elif found.hit is not None:
                more = watched(found.hit)
            self.went_back()
        except CannotGoBackError as error:
            self._send(b"O" + f"{error}\n".encode().hex().encode())
        else:
            return
        self._way = None
        self._send(f"T{SIGTRAP:02x}{more}thread:1;".encode())

    def _give_up(self) -> None:
        if self._way is not None:
            self._way.close()
            self._way = None

    def _back(self, rest: bytes) -> bytes | None:
        """Packets bs and bc: one instruction back, or to the last break."""
        if rest not in (b"s", b"c"):
            return UNKNOWN
        self._way = self._history.step() if rest == b"s" else self._history.resume()
        return None

    def _stop_reply(self) -> bytes:
        signal, more = self.target.reason()
        if self._interrupted:
            signal, more, self._interrupted = SIGINT, "", False
        return f"T{signal:02x}{more}thread:1;".encode()

    # ------------------------------------------------------------------ the wire

    def _raw(self, data: bytes) -> None:
        if self._client is not None:
            try:
                self._client.sendall(data)
            except OSError:
                self._hang_up()

    def _send(self, payload: bytes) -> None:
        self._raw(framed(payload))

    # ------------------------------------------------------------------ what is asked

    def _obey(self, packet: bytes) -> None:
        letter, rest = packet[:1].decode(errors="replace"), packet[1:]
        act = self._ACTS.get(letter)
        try:
            answer = act(self, rest) if act is not None else UNKNOWN
        except (ValueError, IndexError):  # no such number, register, or address
            answer = ERROR
        if answer is not None:
            self._send(answer)

    def _why(self, _: bytes) -> bytes:
        return self._stop_reply()

    def _all_registers(self, _: bytes) -> bytes:
        debug = self._machine.core.debug
        return b"".join(one.read(debug) for one in self.target.registers).hex().encode()

    def _set_all(self, rest: bytes) -> bytes:
        data, at = bytes.fromhex(rest.decode()), 0
        for one in self.target.registers:
            piece = data[at : at + one.size]
            at += one.size
            if len(piece) == one.size:
                self._put_register(one, piece)
        return OK

    def _register(self, rest: bytes) -> bytes:
        return self._numbered(rest).read(self._machine.core.debug).hex().encode()

    def _set_register(self, rest: bytes) -> bytes:
        number, _, value = rest.partition(b"=")
        one, data = self._numbered(number), bytes.fromhex(value.decode())
        if len(data) != one.size:
            return ERROR
        self._put_register(one, data)
        return OK

    def _put_register(self, one: Register, data: bytes) -> None:
        self._history.do(lambda target: one.write(target.machine.core.debug, data))

    def _numbered(self, number: bytes) -> Register:
        return self.target.registers[int(number, 16)]

    def _read(self, rest: bytes) -> bytes:
        address, length = (int(part, 16) for part in rest.split(b","))
        length = min(length, LONGEST // 2 - 8)
        if self.target.is_plain(address, length):
            data = self.target.read_memory(address, length)
        else:  # reading a peripheral may do something to it
            data = self._history.do(lambda target: target.read_memory(address, length))
        return data.hex().encode() if data or not length else ERROR

    def _write(self, rest: bytes) -> bytes:
        where, _, data = rest.partition(b":")
        return self._put(where, bytes.fromhex(data.decode()))

    def _write_binary(self, rest: bytes) -> bytes:
        where, _, data = rest.partition(b":")
        return self._put(where, unescaped(data))

    def _put(self, where: bytes, data: bytes) -> bytes:
        address, length = (int(part, 16) for part in where.split(b","))
        if length != len(data):
            return ERROR
        done = self._history.do(lambda target: target.write_memory(address, data))
        return OK if done else ERROR

    def _go(self, rest: bytes) -> bytes | None:
        self._jump(rest)
        self._going = True
        self._history.do(Target.resume, goes=True)
        return None

    def _step(self, rest: bytes) -> bytes | None:
        self._jump(rest)
        self._going = True
        self._history.do(Target.step, goes=True)
        return None

    def _jump(self, rest: bytes) -> None:
        if rest:
            self._put_register(self.target.registers[15], int(rest, 16).to_bytes(4, "little"))

    def _break(self, rest: bytes) -> bytes:
        kind, address, length = _three(rest)
        if not 0 <= kind <= 4:
            return UNKNOWN
        self._history.do(lambda target: target.set_break(kind, address, length))
        return OK

    def _unbreak(self, rest: bytes) -> bytes:
        kind, address, length = _three(rest)
        self._history.do(lambda target: target.clear_break(kind, address, length))
        return OK

    def _detach(self, _: bytes) -> None:
        self._send(OK)
        self._hang_up()

    def _kill(self, _: bytes) -> None:
        self.killed = True

    def _thread(self, _: bytes) -> bytes:
        return OK

    # ------------------------------------------------------------------ v, q, Q

    def _long(self, rest: bytes) -> bytes | None:
        if rest.startswith(b"Cont?"):
            return b"vCont;c;C;s;S;r"
        if rest.startswith(b"Cont;"):
            return self._continue(rest.removeprefix(b"Cont;").split(b";")[0].split(b":")[0])
        if rest.startswith(b"FlashErase:"):
            address, length = (int(part, 16) for part in rest[11:].split(b","))
            self._erased.append((address, length))
            return self._program(address, b"\xff" * length)
        if rest.startswith(b"FlashWrite:"):
            where, _, data = rest[11:].partition(b":")
            return self._program(int(where, 16), unescaped(data))
        if rest == b"FlashDone":
            return OK
        if rest.startswith(b"Kill"):
            self.killed = True
            return OK
        return UNKNOWN

    def _program(self, address: int, data: bytes) -> bytes:
        return OK if self._history.do(lambda target: target.program(address, data)) else ERROR

    def _continue(self, action: bytes) -> bytes | None:
        if action[:1] in (b"s", b"S"):
            return self._step(b"")
        if action[:1] == b"r":
            start, end = (int(part, 16) for part in action[1:].split(b","))
            self._until = start, end
            return self._step(b"")
        return self._go(b"")

    def _ask(self, rest: bytes) -> bytes:
        if rest.startswith(b"Supported"):
            return (
                b"PacketSize=%x;qXfer:features:read+;qXfer:memory-map:read+;QStartNoAckMode+;"
                b"vContSupported+;ReverseStep+;ReverseContinue+;swbreak-;hwbreak-" % LONGEST
            )
        if rest.startswith(b"Xfer:features:read:target.xml:"):
            return _piece(description(self.target.registers), rest)
        if rest.startswith(b"Xfer:memory-map:read::"):
            return _piece(memory_map(self._machine.board.chip), rest)
        if rest.startswith(b"Rcmd,"):
            said = self._command(bytes.fromhex(rest[5:].decode()).decode(errors="replace").strip())
            return said.encode().hex().encode() or OK
        return {
            b"C": b"QC1",
            b"fThreadInfo": b"m1",
            b"sThreadInfo": b"l",
            b"Attached": b"1",
            b"Symbol::": OK,
        }.get(rest, UNKNOWN)

    def _set(self, rest: bytes) -> bytes:
        if rest == b"StartNoAckMode":
            self._acknowledged = False
            return OK
        return UNKNOWN

    def _command(self, text: str) -> str:
        """What ``monitor`` takes."""
        core = self._machine.core
        match text.split():
            case ["reset", *_]:
                self._history.do(Target.reset, resets=True)
                return "reset, and halted before the first instruction\n"
            case ["time"]:
                awake = core.awake_cycles
                return f"{show_duration(core.now_ps)}, {awake} cycles awake\n"
            case [] | ["help"]:
                return HELP
        return f"there is no {text!r} here; monitor help lists what there is\n"

    _ACTS: dict[str, Callable[[GdbServer, bytes], bytes | None]] = {  # noqa: RUF012
        "?": _why, "g": _all_registers, "G": _set_all, "p": _register, "P": _set_register,
        "m": _read, "M": _write, "X": _write_binary, "c": _go, "s": _step, "Z": _break,
        "z": _unbreak, "b": _back, "D": _detach, "k": _kill, "H": _thread, "T": _thread, "v": _long,
        "q": _ask, "Q": _set,
    }  # fmt: skip


def _three(rest: bytes) -> tuple[int, int, int]:
    """TYPE,ADDRESS,LENGTH; conditions behind them are gdb's own to check."""
    match = re.match(rb"([0-9a-f]+),([0-9a-f]+),([0-9a-f]+)", rest)
    if match is None:
        raise ValueError(rest)
    kind, address, length = (int(part, 16) for part in match.groups())
    return kind, address, length


def _piece(document: str, request: bytes) -> bytes:
    """A piece of a document: "m" and more comes, "l" for the last."""
    start, length = (int(part, 16) for part in request.rpartition(b":")[2].split(b","))
    data = document.encode()
    part = data[start : start + min(length, LONGEST - 8)]
    return (b"m" if start + len(part) < len(data) else b"l") + escaped(part)
