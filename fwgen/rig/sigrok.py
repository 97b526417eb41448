"""A real logic analyser as evidence: what sigrok-cli streams of a device's channels.

VCD is asked for, of all that sigrok-cli writes: it names its channels (its binary and bits do not,
and whether channels that are not asked for leave a gap there depends on the driver), its times are
those of the rate that the device really has, and a pin that rests costs nothing to read. It is
read as it comes, word by word: a tokenizer of VCD in Python takes ten times as long, and who reads
too slowly makes the device overrun.

When the first sample was taken nobody tells. It lies between the start of the process and the
moment at which a later sample was here; and the probe, which looks at the same pins now and then,
narrows that: what it saw at a moment the analyser must have seen at the same one (``align``).

Source: sigrok-cli(1) of 0.7; libsigrok 0.5, output/vcd.c; IEEE 1364-2005 §18.2 for VCD.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwgen.errors import RigError
from fwgen.rig.looks import Captured, Looks
from fwgen.units import PPM, PS_PER_S, show_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fwgen.rig.clock import Clock

TOOL, ELSEWHERE = "sigrok-cli", "FWGEN_SIGROK"
INSTALL = (
    f"install it (Debian, Ubuntu: apt install sigrok-cli; macOS: brew install sigrok-cli); "
    f"{ELSEWHERE} names one that is elsewhere"
)
PLUG = "is it plugged in, and may you use it? sigrok-cli -d {driver} --scan shows what it finds"
START_S = 30.0  # a device whose firmware is loaded at each start takes some seconds
STOP_S = 10.0
SCAN_S = 30.0
LAG_PS = PS_PER_S // 4  # samples that are under way when we have seen enough
CLOCK_PPM = 200  # how far the analyser's clock and this computer's may drift apart
DENSE = 64  # levels that may have been seen at one look: such a look tells nothing
CHUNK = 1 << 16
_UNITS = {b"s": 12, b"ms": 9, b"us": 6, b"ns": 3, b"ps": 0}  # as powers of ten of a picosecond


@dataclass(frozen=True, slots=True)
class AnalyserSpec:
    """A logic analyser of a rig: ``channels`` gives the channel that each pin is wired to.

    ``driver`` is what sigrok-cli calls it, with its connection if need be ("fx2lafw:conn=1.7").
    """

    driver: str
    rate_hz: int
    channels: Mapping[str, str]

    @property
    def sample_ps(self) -> int:
        """The time between two samples, rounded up."""
        return -(-PS_PER_S // self.rate_hz)


# ---------------------------------------------------------------------------- the tool


def tool() -> str:
    """Where sigrok-cli is. Raises RigError when it is not installed."""
    named = os.environ.get(ELSEWHERE)
    found = shutil.which(named or TOOL)
    if found is None:
        what = f"{ELSEWHERE} names {named}, which is no program" if named else (
            f"{TOOL}, through which logic analysers are read, is not installed")  # fmt: skip
        raise RigError(what, hint=INSTALL)
    return found


def version() -> str:
    """What sigrok-cli says it is. Raises RigError when it is not there or does not run."""
    lines = _said("--version").splitlines()
    return lines[0].strip() if lines else TOOL


def scan(driver: str) -> str:
    """The device behind a driver, with its channels, as sigrok-cli tells.

    Raises RigError when there is none, or several and the driver's name does not say which.
    """
    lines = [line for line in _said("-d", driver, "--scan").splitlines() if " - " in line]
    if not lines:
        raise RigError(
            f"sigrok-cli finds no logic analyser {driver!r}", hint=PLUG.format(driver=driver)
        )
    if len(lines) > 1:
        raise RigError(
            f"sigrok-cli finds {len(lines)} of {driver!r}: " + "; ".join(lines),
            hint=f'say which in the rig file: driver = "{lines[0].split(" - ")[0].strip()}"',
        )
    return lines[0].strip()


def channels_of(found: str) -> tuple[str, ...]:
    """The names of the channels in what ``scan`` gives; () where it does not tell."""
    _, told, names = found.partition("channels: ")
    return tuple(names.split()) if told else ()


def _said(*arguments: str) -> str:
    program = tool()
    try:
        ran = subprocess.run(
            [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=SCAN_S, check=False,
        )  # fmt: skip
    except OSError as error:
        raise RigError(f"{program} does not run: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise RigError(f"{TOOL} does not answer within {SCAN_S:.0f} s") from error
    if ran.returncode:
        said = _last(ran.stderr) or f"it ended with code {ran.returncode}"
        driver = arguments[1] if "-d" in arguments else ""
        raise RigError(f"{TOOL}: {said}", hint=PLUG.format(driver=driver) if driver else INSTALL)
    return ran.stdout


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""


# ---------------------------------------------------------------------------- the stream


class NotVcdError(ValueError):
    """What came is no VCD (never leaves this room)."""


@dataclass(slots=True)
class Stream:
    """Levels out of VCD that comes piece by piece.

    ``levels`` has the changes of each channel, as (time in picoseconds, level), its first level
    first. ``until_ps`` is up to when the stream has told, ``unit_ps`` how finely it tells times.
    """

    levels: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    until_ps: int | None = None
    unit_ps: int = 0
    _names: dict[bytes, str] = field(default_factory=dict)
    _rest: bytes = b""
    _header: list[bytes] | None = None
    _in_body: bool = False

    def feed(self, data: bytes) -> None:
        """Take the next piece. Raises NotVcdError."""
        data = self._rest + data
        # The last word may go on in the next piece.
        cut = max(data.rfind(b"\n"), data.rfind(b" ")) + 1
        self._rest = data[cut:]
        self._take(data[:cut].split())

    def end(self) -> None:
        """Nothing more comes: what is left is whole."""
        rest, self._rest = self._rest, b""
        self._take(rest.split())

    def _take(self, words: Sequence[bytes]) -> None:
        body = 0
        if not self._in_body:
            for body, word in enumerate(words, 1):  # noqa: B007 - where the header ends
                self._head(word)
                if self._in_body:
                    break
            else:
                return
        names, levels = self._names, self.levels
        now = self.until_ps
        try:
            for word in words[body:]:
                mark = word[0]
                if mark == 0x23:  # "#"
                    now = int(word[1:]) * self.unit_ps
                elif mark in (0x30, 0x31):
                    told = levels[names[word[1:]]]
                    level = mark - 0x30
                    if not told or told[-1][1] != level:
                        told.append((now or 0, level))
                elif mark not in b"$xXzZ":
                    raise NotVcdError(word)
        except (ValueError, KeyError) as error:
            raise NotVcdError(words[:4]) from error
        self.until_ps = now

    def _head(self, word: bytes) -> None:
        if self._header is None:
            if not word.startswith(b"$"):
                raise NotVcdError(word)
            self._header = []
        if word != b"$end":
            self._header.append(word)
            return
        section, self._header = self._header, None
        if section[0] == b"$timescale":
            told = b"".join(section[1:])
            number = told.rstrip(b"smunp")
            power = _UNITS.get(told[len(number) :])
            if power is None or not number.isdigit():
                raise NotVcdError(told)
            self.unit_ps = int(number) * 10**power
        elif section[0] == b"$var" and len(section) >= 5:
            name = section[4].decode("utf-8", "replace")
            self._names[section[3]] = name
            self.levels[name] = []
        elif section[0] == b"$enddefinitions":
            if not self.unit_ps:
                raise NotVcdError(b"$timescale")
            self._in_body = True


# ---------------------------------------------------------------------------- in time


Levels = list[tuple[int, int]]
Range = tuple[int, int]


def align(
    levels: Mapping[str, Levels], looks: Mapping[str, Looks], within: Range, slack_ps: int
) -> list[Range]:
    """By how much the analyser's times may lie before the rig's, as ranges in picoseconds.

    ``levels`` are the analyser's, in its own time, ``looks`` the probe's at the same pins;
    ``within`` is what is known beforehand, ``slack_ps`` what either may be off by. None is left
    when the two cannot be of the same pins.
    """
    ranges = [within]
    for pin, seen in looks.items():
        told = levels[pin]
        starts = [t for t, _ in told]
        for start, stop, level in seen.seen:
            if level is None or not told:
                continue
            slack = slack_ps + abs(stop) * CLOCK_PPM // PPM
            allowed = _allowed(told, starts, (start - slack, stop + slack), level, ranges)
            if allowed is not None:
                ranges = _common(ranges, allowed)
                if not ranges:
                    return []
    return ranges


def _allowed(
    told: Levels, starts: list[int], look: Range, level: int, ranges: list[Range]
) -> list[Range] | None:
    """The offsets at which a level was there at some moment of a look; None: any will do."""
    least, most = ranges[0][0], ranges[-1][1]
    first = max(0, bisect_right(starts, look[0] - most) - 1)
    last = bisect_right(starts, look[1] - least)
    if last - first > DENSE:
        return None
    found: list[Range] = []
    for i in range(first, max(last, first + 1)):
        if told[i][1] != level:
            continue
        # What was before its first sample, and what comes after its last change, goes on so.
        low = least if i + 1 == len(told) else look[0] - told[i + 1][0]
        high = most if i == 0 else look[1] - told[i][0]
        if found and high >= found[-1][0]:
            found[-1] = (low, found[-1][1])
        else:
            found.append((low, high))
    return sorted(found)


def _common(one: list[Range], two: list[Range]) -> list[Range]:
    return [
        (max(a, c), min(b, d)) for a, b in one for c, d in two if max(a, c) <= min(b, d)
    ]  # fmt: skip


# ---------------------------------------------------------------------------- the bench's side


class SigrokAnalyser:
    """A logic analyser that keeps what ``pins`` do, from ``start`` to ``stop``.

    ``pins`` are those of the rig's that a run asks for. ``clock`` is the rig's. An input reads
    high or low whatever drives it: that a pin floats only the probe can tell.
    """

    def __init__(self, spec: AnalyserSpec, clock: Clock) -> None:
        self.spec, self.clock = spec, clock
        self.pins: Sequence[str] = tuple(spec.channels)
        self._process: subprocess.Popen[bytes] | None = None
        self._stream = Stream()
        self._threads: list[threading.Thread] = []
        self._running = threading.Event()  # or it never will
        self._stderr = bytearray()
        self._trouble = ""
        self._earliest = self._latest = 0

    @property
    def words(self) -> str:
        """What it is, in words."""
        return f"logic analyser {self.spec.driver}, a sample every {self._shown}"

    @property
    def _shown(self) -> str:
        return show_duration(self.spec.sample_ps)

    def released(self) -> None:
        """It does not see the core."""

    def heard(self, uart: str) -> tuple[()]:
        """Nothing: the port is heard as without it."""
        return ()

    def start(self) -> None:
        """Have it sample; returns when the first samples are here. Raises RigError."""
        program = tool()
        channels = [self.spec.channels[pin] for pin in self.pins]
        self._stream, self._trouble = Stream(), ""
        self._running.clear()
        self._stderr.clear()
        self._earliest = self.clock.now_ps
        arguments = [
            program, "-d", self.spec.driver, "-C", ",".join(channels),
            "-c", f"samplerate={self.spec.rate_hz}", "--continuous", "-O", "vcd",
        ]  # fmt: skip
        try:
            # It samples until a line comes on its stdin.
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                bufsize=0,
            )  # fmt: skip
        except OSError as error:
            raise RigError(f"{program} does not run: {error.strerror or error}") from error
        self._latest = 1 << 200  # offsets, until a sample says better
        self._threads = [
            threading.Thread(target=target, name=f"{TOOL} {name}", daemon=True)
            for target, name in ((self._listen, "levels"), (self._complain, "words"))
        ]
        for thread in self._threads:
            thread.start()
        if not self._running.wait(START_S):
            self._end()
            raise self._error(f"no sample came within {START_S:.0f} s")
        if self._stream.until_ps is None:
            self._end()
            raise self._error(self._trouble or "it ended before the first sample")

    def stop(self, zero_ps: int, looks: Mapping[str, Looks]) -> Captured:
        """What was seen since ``zero_ps`` of the rig's clock, in the probe's time.

        ``looks`` are what the probe saw, of the same pins too. Raises RigError when the device
        went away meanwhile, or what it saw is of other pins than the rig file says.
        """
        process = self._process
        assert process is not None
        if process.poll() is not None:  # it was to go on until told
            self._end()
            raise self._error(self._trouble or "it stopped by itself")
        self.clock.sleep(LAG_PS)
        code = self._end()
        if self._trouble or code > 0:
            raise self._error(self._trouble or f"it ended with code {code}")
        return self._in_time(zero_ps, {p: looks[p] for p in self.pins if p in looks})

    def cancel(self) -> None:
        """Nobody wants to know any more."""
        self._end()

    # ------------------------------------------------------------------ the process

    def _listen(self) -> None:
        process, stream = self._process, self._stream
        assert process is not None
        assert process.stdout is not None
        try:
            while data := process.stdout.read(CHUNK):
                here = self.clock.now_ps
                stream.feed(data)
                if stream.until_ps is not None:
                    # What is here was sampled before now, the last of it too.
                    self._latest = min(self._latest, here - stream.until_ps)
                    self._running.set()
            stream.end()
        except NotVcdError:
            self._trouble = "what it sends is no VCD"
        except (OSError, ValueError):
            self._trouble = "it cannot be read any more"
        self._running.set()

    def _complain(self) -> None:
        process = self._process
        assert process is not None
        assert process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            while data := process.stderr.read(CHUNK):
                self._stderr += data

    def _end(self) -> int:
        """Have it stop, and wait until all is read; its exit code, below 0 for a signal of ours."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write(b"\n")
        for end in (process.terminate, process.kill):
            try:
                process.wait(STOP_S)
                break
            except subprocess.TimeoutExpired:
                end()
        for thread in self._threads:
            thread.join(STOP_S)
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        return process.returncode or 0

    def _error(self, what: str) -> RigError:
        said = _last(self._stderr.decode("utf-8", "replace"))
        return RigError(
            f"the logic analyser does not sample: {said or what}",
            where=f"{TOOL} -d {self.spec.driver}",
            hint=PLUG.format(driver=self.spec.driver),
        )

    # ------------------------------------------------------------------ what was seen

    def _in_time(self, zero_ps: int, looks: Mapping[str, Looks]) -> Captured:
        levels = {}
        for pin in self.pins:
            channel = self.spec.channels[pin]
            told = self._stream.levels.get(channel)
            if told is None:
                raise self._error(f"it has sent nothing of a channel {channel}")
            levels[pin] = told
        sample = max(self.spec.sample_ps, self._stream.unit_ps)
        within = self._earliest - zero_ps, max(self._earliest, self._latest) - zero_ps
        other = tuple(pin for pin in looks if not align(levels, {pin: looks[pin]}, within, sample))
        mine = {pin: one for pin, one in looks.items() if pin not in other}
        ranges = align(levels, mine, within, sample) if mine else []
        notes = tuple(
            f"channel {self.spec.channels[pin]} does not see what the probe sees of {pin}: is it "
            "wired there?"
            for pin in other
        )
        if not ranges:
            why = "the logic analyser does not see what the probe sees: are its channels as told?"
            return Captured({}, notes=notes or (why,))
        low, high = ranges[0][0], ranges[-1][1]
        offset = (low + high) // 2
        # Nothing that the chip does comes before its reset is released.
        early = [-t for pin in mine for t, _ in levels[pin][1:] if offset < -t <= high]
        offset = max([offset, *early])
        off = max(offset - low, high - offset) + sample
        end = (self._stream.until_ps or 0) + offset
        made = {pin: _as_looks(pin, levels[pin], offset, sample, end) for pin in mine}
        return Captured(made, off, notes)


def _as_looks(pin: str, told: Levels, offset: int, sample: int, end: int) -> Looks:
    """What an analyser saw of a pin as looks, a sample apart; what came before reset is past."""
    before = [level for t, level in told if t + offset < 0]
    made = Looks(pin, before[-1] if before else told[0][1] if told else 0)
    made.since_ps = -sample
    for at, level in told:
        t = max(at + offset, 1)
        if at + offset >= 0 and level != made.level:
            made.skip(t - sample)
            made.look(t, t, level)
    made.skip(end)
    return made


def configured(spec: AnalyserSpec, clock: Clock) -> SigrokAnalyser:
    """The analyser of a rig, once it is known to be there. Raises RigError."""
    found = channels_of(scan(spec.driver))
    missing = [c for c in spec.channels.values() if found and c not in found]
    if missing:
        raise RigError(
            f"the logic analyser has no channel {missing[0]!r}",
            where=spec.driver,
            hint="it has " + ", ".join(found),
        )
    return SigrokAnalyser(spec, clock)
