"""The virtual COM port of a board's debug probe: the far end of the console's two wires.

It does what the probe of a NUCLEO does: receives the target's TX and drives its RX at the rate
and format that the host asks for, and talks to the host once per USB frame. The target's
handshake lines are wired to nothing: RTS and DTR are accepted and reach no pin.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from fwgen.board.frame import PARITIES
from fwgen.errors import BenchError
from fwgen.trace import Edge, SerialByte
from fwgen.units import MHZ_PER_HZ, PS_PER_MS, PS_PER_S
from fwgen.virtual.serial.wire import Framing, Noise, Receiver, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.board.types import Board
    from fwgen.machine.machine import Machine
    from fwgen.machine.soc import Soc
    from fwgen.trace import Event

USB_FRAME_PS = PS_PER_MS  # a full-speed host asks a device once in each (USB 2.0 §5.3.3)
ROOM = 1 << 20  # bytes that wait for a host that does not read; what comes on top is lost
WHO = "the virtual COM port"


class SerialBoard(Protocol):
    """What the port needs of a virtual board."""

    board: Board
    uid: str
    machine: Machine
    lock: threading.RLock

    @property
    def now_ps(self) -> int:
        """Virtual time since power-on, picoseconds; never goes back."""

    @property
    def free_running(self) -> bool:
        """Whether time follows the wall clock by itself, and not only in ``sleep``."""

    def sleep(self, ps: int) -> None:
        """Let virtual time pass."""

    def catch_up(self) -> None:
        """Where time follows the wall clock, it is now. The caller holds ``lock``."""

    def listen(
        self, listener: Callable[[Event], None], *, watching: bool = True, at_once: bool = True
    ) -> None:
        """Hear trace events as they come; not ``at_once``: in order, before time stops passing.

        Who is not ``watching`` does not wake a board that runs by itself.
        """

    def watch(self, on: bool) -> None:
        """Somebody wants to hear at once what the board does by itself, or no longer does."""

    def wake(self) -> None:
        """What the board will do by itself may have changed."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The control lines as the host set them; none is wired to the target."""

    rts: bool = False
    dtr: bool = False


class VirtualPort:
    """One virtual COM port. All methods may be called from any thread.

    Bytes that the target sends while no host has the port open are lost, as they are on a real
    one. What was received reaches the host with the next USB frame (1 ms); what the host writes
    leaves with the next one, back to back. Between two USB frames the machine is not stopped for
    the port's sake: what it sent meanwhile is read afterwards, by the times that it was sent at,
    and what leaves within a USB frame is given to it at once.

    Not modelled: a PWM signal on the TX pin; a frame that a reset cuts short is not seen at all.
    """

    def __init__(self, board: SerialBoard, *, noise: Noise | None = None) -> None:
        console = board.board.console
        if console is None:
            raise BenchError(
                f"{board.board.name} has no console, so its virtual board has no serial port",
                hint="a board's TOML names it under [console]",
            )
        self.board, self.noise = board, noise or Noise()
        self._console = console
        self._cond = threading.Condition()
        self._receiver = Receiver(Framing.of(console.baud, console.frame))
        self._soc: Soc | None = None
        # When the probe had each, and what; the host has not asked yet.
        self._decoded: deque[tuple[int, Word]] = deque()
        self._asked_for = -1  # when it next will
        self._inbox = bytearray()
        self._outbox: deque[int] = deque()
        self._sending = False
        self._leaving = (0, 0, 1)  # given to the chip: when the first began, how many, how long
        self._break = False
        self._lines = Lines()
        self._listeners: list[Callable[[], None]] = []
        self._holders = 0
        self._exclusive = False
        self._unplugged = False
        self.lost = 0  # bytes for which there was no room
        self.errors: dict[str, int] = {}  # framing and parity errors and breaks, counted
        # While nobody has it open, nobody waits.
        board.listen(self._hear, watching=False, at_once=False)

    # ------------------------------------------------------------------ the host

    def acquire(self, *, exclusive: bool = False) -> None:
        """Open the port. Raises BlockingIOError while somebody has it to himself."""
        with self._touching(), self._cond:
            if self._holders and (self._exclusive or exclusive):
                raise BlockingIOError(f"the port of {self.board.uid} is open elsewhere")
            self._holders += 1
            self._exclusive = exclusive
        self.board.watch(True)

    def release(self) -> None:
        """Close the port; the last to close it leaves nothing behind."""
        with self._cond:
            self._holders -= 1
            if self._holders <= 0:
                self._holders, self._exclusive = 0, False
                self._inbox.clear()
        self.board.watch(False)

    def unplug(self) -> None:
        """The cable is pulled: whoever has the port open loses it."""
        with self._cond:
            self._unplugged = True
            self._cond.notify_all()
        self._tell()

    def replug(self) -> None:
        """The cable is back; whoever had the port open has to open it again."""
        self._unplugged = False

    @property
    def present(self) -> bool:
        """Whether the cable is still there."""
        return not self._unplugged

    @property
    def framing(self) -> Framing:
        """Rate and format, of both directions."""
        return self._receiver.framing

    def set_framing(self, framing: Framing) -> None:
        """Set rate and format from now on. The rate must be positive."""
        if framing.baud <= 0:
            raise ValueError(f"a rate of {framing.baud} baud is none")
        with self._touching():
            self._receiver.retune(framing, self._now)

    @property
    def lines(self) -> Lines:
        """The control lines as they were set last."""
        return self._lines

    def set_lines(self, lines: Lines) -> None:
        """Set RTS and DTR, which the probe's adapter wires to nothing."""
        self._lines = lines

    @property
    def waiting(self) -> int:
        """Bytes that can be read now."""
        return len(self._inbox)

    @property
    def unsent(self) -> int:
        """Bytes that were written and have not begun to leave."""
        began, count, length = self._leaving
        begun = max(0, (self._now - began) // length + 1)
        return len(self._outbox) + max(0, count - begun)

    def take(self, most: int) -> bytes:
        """What came, at most so many bytes; never waits."""
        with self._cond:
            data = bytes(self._inbox[:most])
            del self._inbox[:most]
            return data

    def peek(self, most: int) -> bytes:
        """Like ``take``, and leaves them there."""
        with self._cond:
            return bytes(self._inbox[:most])

    def wait(self, timeout_s: float | None, enough: Callable[[], bool]) -> None:
        """Wait until something came, the port is gone, or ``enough()``; only time ends it else."""
        with self._cond:
            self._cond.wait_for(lambda: bool(self._inbox) or self._unplugged or enough(), timeout_s)

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._cond:
            self._cond.notify_all()

    def next_frame_in(self) -> int:
        """Picoseconds of the board's time until the host can next be told something."""
        with self._touching():
            return USB_FRAME_PS - self._now % USB_FRAME_PS

    @property
    def asked_for_ps(self) -> int | None:
        """When the host next asks for what came; None while no byte is on its way."""
        now = self._now
        busy = self._sending or self._decoded or self._asked_for > now
        return _next_frame(now) if busy and self._holders else None

    def write(self, data: bytes) -> None:
        """Send bytes to the target's RX, after those that wait already."""
        with self._touching() as soc:
            self._outbox.extend(data)
            self._start(soc)

    def finish(self) -> None:
        """Give the host what came up to now, without waiting for the next USB frame."""
        with self._touching():
            self._hand_over()

    def discard_input(self) -> None:
        """Forget what came."""
        with self._cond:
            self._inbox.clear()

    def discard_output(self) -> None:
        """Forget what does not leave within this USB frame."""
        with self.board.lock:
            self._outbox.clear()

    @property
    def sending_break(self) -> bool:
        """Whether the target's RX is held low."""
        return self._break

    def set_break(self, on: bool) -> None:
        """Hold the target's RX low, or let it rise, from the next USB frame on."""
        with self._touching() as soc:
            self._break = on
            pad = soc.fabric.pads[self._console.rx]
            level = 0 if on else None
            at = _next_frame(self._now)
            soc.scheduler.at(at, lambda t: pad.drive_outside(t, WHO, level))
            if not on:
                self._start(soc)

    @contextmanager
    def notify(self, listener: Callable[[], None]) -> Iterator[None]:
        """While entered, ``listener`` is called when bytes came or the port went.

        It is called from whatever thread lets time pass and must not wait.
        """
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    # ------------------------------------------------------------------ from the target

    def _hear(self, event: Event) -> None:
        if isinstance(event, SerialByte):
            if event.direction == "tx" and event.port == self._console.uart:
                self._hear_frame(event)
        elif isinstance(event, Edge) and event.pin == self._console.tx:
            # The USART writes its frames out edge by edge only for who listens: these are
            # a line that goes idle, or firmware that moves the pin by itself.
            soc = self._follow()
            self._receiver.line.put(event.t_ps, 0 if event.level == 0 else 1)
            self._decode(soc, event.t_ps)

    def _hear_frame(self, event: SerialByte) -> None:
        soc, start_ps = self._follow(), event.start_ps
        sent_as = getattr(self._uart(soc), "sent_as", (8, "N", 2))
        if not (event.error or self.noise.flips_ppm):
            word = self._receiver.clear_word(start_ps, sent_as, event.baud_mhz, event.byte)
            if word is not None:
                self._keep(soc, event.t_ps, [word])
                return
        # Where somebody listens to the line, its edges were heard one by one already: then this
        # only says them again.
        line, bit = self._receiver.line, Fraction(PS_PER_S * MHZ_PER_HZ, event.baud_mhz)
        if event.error == "break":
            line.put(start_ps, 0)
            line.put(event.t_ps - int(bit), 1)
        else:
            levels = Framing(1, *sent_as).word(event.byte)
            flipped = self.noise.flipped("tx", start_ps, len(levels) + 2)
            line.put_frame(start_ps, bit, event.t_ps, levels, flipped=flipped)
        self._decode(soc, event.t_ps)

    def _decode(self, soc: Soc, now_ps: int) -> None:
        """Take the words that are complete; come back when the next can be."""
        if self._soc is not soc:
            return
        # A frame on its way out is told at its end: until then the line is known up to it.
        since = getattr(self._uart(soc), "sending_since", None)
        known = now_ps if since is None else min(now_ps, since)
        self._keep(soc, now_ps, self._receiver.words(known))
        due = self._receiver.due_ps
        if due is not None and due > now_ps:
            soc.scheduler.at(due, lambda t: self._decode(soc, t))

    def _keep(self, soc: Soc, now_ps: int, words: list[Word]) -> None:
        """The probe has words: the host gets them with the next USB frame."""
        if not self._holders:
            return
        for word in words:
            self._decoded.append((now_ps, word))
            self._ask(soc, _next_frame(now_ps))

    def _ask(self, soc: Soc, at: int) -> None:
        if at > self._asked_for:
            self._asked_for = at
            soc.scheduler.at(at, lambda t: self._asked(soc, t))

    def _asked(self, soc: Soc, t_ps: int) -> None:
        """The host asks for what came in the USB frame that is over."""
        if soc is not self._soc:
            return
        if self._hand_over(t_ps):
            # Who sends goes on sending: the machine runs no further than to where that is asked
            # for. What came while it ran further than to here is for then, too.
            self._ask(soc, _next_frame(t_ps))

    def _hand_over(self, until_ps: int | None = None) -> bool:
        """Give the host what the probe had before then; None: all. Whether that was anything."""
        given = False
        with self._cond:
            while self._decoded and (until_ps is None or self._decoded[0][0] < until_ps):
                word, given = self._decoded.popleft()[1], True
                if word.error:
                    self.errors[word.error] = self.errors.get(word.error, 0) + 1
                if len(self._inbox) < ROOM:
                    self._inbox.append(word.byte)
                else:
                    self.lost += 1
            self._cond.notify_all()
        self._tell()
        return given

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    # ------------------------------------------------------------------ to the target

    def _start(self, soc: Soc) -> None:
        if not self._sending and self._outbox and not self._break:
            self._sending = True
            soc.scheduler.at(_next_frame(self._now), lambda t: self._send_next(soc, t))

    def _send_next(self, soc: Soc, t_ps: int) -> None:
        if soc is not self._soc:
            return
        if not self._outbox or self._break:
            self._sending = False
            return
        how, uart, count = self.framing, self._uart(soc), 1
        if how.plain and not self.noise.flips_ppm and hasattr(uart, "receive_all"):
            # Its last begins in this USB frame, and ends in the next.
            count = min(len(self._outbox), -(-(_next_frame(t_ps) - t_ps) // how.frame_ps))
            data = bytes(self._outbox.popleft() for _ in range(count))
            end = uart.receive_all(t_ps, data, how.baud_mhz)
        else:
            end = self._send_one(uart, t_ps, self._outbox.popleft())
        self._leaving = t_ps, count, how.frame_ps
        soc.scheduler.at(end, lambda t: self._send_next(soc, t))

    def _send_one(self, uart: Any, t_ps: int, byte: int) -> int:
        how = self.framing
        if not hasattr(uart, "receive"):
            return t_ps + how.frame_ps
        bits = how.bits + (how.parity != "N") + 2
        end: int = uart.receive(
            t_ps,
            byte & (1 << how.bits) - 1,
            how.baud_mhz,
            bits=how.bits,
            parity=PARITIES[how.parity],
            stop_bits=Fraction(how.stop_halves, 2),
            flipped=self.noise.flipped("rx", t_ps, bits),
        )
        return end

    # ------------------------------------------------------------------ the machine

    @property
    def _now(self) -> int:
        machine = self.board.machine  # its scheduler may lag behind the core, within a step
        return max(machine.soc.scheduler.now_ps, machine.core.now_ps)

    @contextmanager
    def _touching(self) -> Iterator[Soc]:
        """The host does something, now: time has come so far."""
        with self.board.lock:
            self.board.catch_up()
            yield self._follow()
        self.board.wake()

    def _uart(self, soc: Soc) -> Any:
        return soc.peripherals.get(self._console.uart)

    def _follow(self) -> Soc:
        """The chip as it is powered now; after a power cycle it is another, at time 0."""
        soc = self.board.machine.soc
        if soc is not self._soc:
            self._soc = soc
            self._receiver.restart()
            self._asked_for, self._sending, self._leaving = -1, False, (0, 0, 1)
            self._hand_over()  # the probe was not off
            if self._break:
                soc.fabric.pads[self._console.rx].drive_outside(self._now, WHO, 0)
            self._start(soc)
        return soc


def _next_frame(now_ps: int) -> int:
    """When the USB frame after now begins."""
    return (now_ps // USB_FRAME_PS + 1) * USB_FRAME_PS
