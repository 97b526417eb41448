"""Flash memory interface of the STM32F4. RM0368 §3."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.units import MHZ_PER_HZ, PS_PER_MS, PS_PER_US, show_frequency, show_voltage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

KEYS = (0x4567_0123, 0xCDEF_89AB)  # §3.5.1
OPTION_KEYS = (0x0819_2A3B, 0x4C5D_6E7F)  # §3.6.2
RDP_LEVEL_0 = 0xAA

PROGRAM_PS = 16 * PS_PER_US  # DS10086 §6.3.12, typical, whatever the parallelism
# DS10086 §6.3.12, typical: sector size -> time by PSIZE (x8, x16, x32, x64 as x32).
ERASE_PS = {
    0x4000: (400 * PS_PER_MS, 300 * PS_PER_MS, 250 * PS_PER_MS, 250 * PS_PER_MS),
    0x1_0000: (1200 * PS_PER_MS, 700 * PS_PER_MS, 550 * PS_PER_MS, 550 * PS_PER_MS),
    0x2_0000: (2000 * PS_PER_MS, 1300 * PS_PER_MS, 1000 * PS_PER_MS, 1000 * PS_PER_MS),
}
# The same for a whole flash of 512 KiB; one of 1 MiB takes twice as long (DS8626 Table 39).
MASS_ERASE_PS = (8000 * PS_PER_MS, 5500 * PS_PER_MS, 4000 * PS_PER_MS, 4000 * PS_PER_MS)
# Lowest supply for each PSIZE (§3.5.2, Table 7); x64 wants an external VPP besides.
MASS_ERASE_SIZE = 0x8_0000
PSIZE_MIN_UV = (1_710_000, 2_100_000, 2_700_000, 2_700_000)
PREFETCH_MIN_UV = 2_100_000  # §3.4.1

ERRORS = ("WRPERR", "PGAERR", "PGPERR", "PGSERR", "RDERR")


class _Trouble(NamedTuple):
    """What is to go wrong with a flash, and who is to be told that the supply went."""

    stuck_after: int | None
    power_fails_after: int | None
    power_fails: Callable[[], None] | None


class Flash(Peripheral, registers="stm32.flash_f4"):
    """Flash memory interface: access time, programming, erasing, option bytes. RM0368 §3.

    ``memory`` is the content of main flash, shared with the core, which hands over what the
    firmware stores there (``program``) and stalls while ``busy_until_ps`` is to come: with one
    bank, fetching or reading flash during an operation stops the bus until it ends (§3.5).

    Not modelled: proprietary code read-out protection (SPRMOD, a Gap), x64 programming's VPP,
    caches that hold stale data after an erase, read-out protection of level 2, what an operation
    cut short by a reset leaves behind (here: what was there before), the stall of a write to CR
    while BSY (it takes effect at once).
    """

    acr, keyr, optkeyr, sr, cr = Reg(), Reg(), Reg(), Reg(), Reg()
    optcr = Reg(unmodelled=("SPRMOD",))

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        flash = soc.chip.flash
        self.base = flash.base
        self.memory = bytearray(b"\xff" * flash.size)
        self.sectors: tuple[tuple[int, int], ...] = _sectors(flash.sectors or (flash.size,))
        self._starts = [start for start, _ in self.sectors]
        self._modes = self.cr.mask("LOCK", "PG", "SER", "MER")
        self._programming = self.cr.mask("PG")  # of these, the only one
        self._bsy = self.sr.mask("BSY")
        # The last store that was found to be in order: how all was set, and the offsets of its
        # sector. The next store mostly is like it.
        self._set_up = (0, 0, 0)
        self._open = range(0)
        self.busy_until_ps = 0
        self._changed: list[Callable[[int, int], None]] = []
        self._timing: list[Callable[[int], None]] = []
        self._keys: list[int] = []
        self._option_keys: list[int] = []
        self._locked_up = self._options_locked_up = False
        self._options = self.optcr.reset_value
        self._epoch = 0  # counts resets
        self._trouble: _Trouble | None = None
        soc.clock("HCLK").on_change(lambda _: self._check_wait_states())

    # ------------------------------------------------------------------ for the core

    @property
    def latency(self) -> int:
        """Wait states of an access to flash, in HCLK cycles."""
        return self.acr.LATENCY

    @property
    def prefetch(self) -> bool:
        """The next line is fetched ahead."""
        return bool(self.acr.PRFTEN)

    @property
    def icache(self) -> bool:
        """The instruction cache (64 lines of 128 bits) is on."""
        return bool(self.acr.ICEN)

    @property
    def dcache(self) -> bool:
        """The data cache (8 lines of 128 bits) is on."""
        return bool(self.acr.DCEN)

    def on_timing(self, listener: Callable[[int], None]) -> None:
        """Call ``listener(t_ps)`` when ACR changes what an access costs."""
        self._timing.append(listener)

    def on_changed(self, listener: Callable[[int, int], None]) -> None:
        """Call ``listener(address, length)`` when the content of flash changed."""
        self._changed.append(listener)

    def program(self, address: int, size: int, value: int, t_ps: int) -> None:
        """The firmware stores to flash: programs it, or raises the flag that says why not.

        The operation ends at ``busy_until_ps``; who reads meanwhile waits for it. So the content
        may change at once, unless something else is due before. §3.5.3, §3.5.4.
        """
        offset = address - self.base
        set_up = self.cr.value, self.optcr.value, size
        if set_up != self._set_up or offset not in self._open or offset & size - 1:
            error = self._program_error(offset, size)
            if error:
                self._fail(error, f"a store of {size} bytes at {address:#010x}", t_ps)
                return
            self._check_psize()
            start, length = self.sectors[self._sector_at(offset)]
            self._set_up, self._open = set_up, range(start, start + length)
        if self._goes_wrong(t_ps):
            return
        old = self._word(offset, size)
        if value & ~old:
            self.soc.hazard(
                "flash-not-erased",
                f"programming {value:#x} over {old:#x} at {address:#010x}: "
                "only an erase makes a 0 a 1",
            )
        if t_ps >= self.busy_until_ps and not self.cr.EOPIE:
            self.busy_until_ps = t_ps + PROGRAM_PS
            self._put(offset, (old & value).to_bytes(size, "little"))
            return

        def clear_bits() -> None:
            self._put(offset, (self._word(offset, size) & value).to_bytes(size, "little"))

        self._operate(max(t_ps, self.busy_until_ps), PROGRAM_PS, clear_bits)

    # ------------------------------------------------------------------ as a test wants it

    def protect(self, *, sectors: Iterable[int] = (), reading: bool = False) -> None:
        """Option bytes as from an earlier life: write-protected sectors, read-out protection."""
        options = self._options
        for sector in sectors:
            options &= ~(1 << self.optcr.spec.fields["nWRP"].lsb + sector)
        if reading:
            options = options & ~self.optcr.mask("RDP") | 0x55 << 8
        self._options = self.optcr.value = options

    def trouble(
        self,
        *,
        stuck_after: int | None = None,
        power_fails_after: int | None = None,
        power_fails: Callable[[], None] | None = None,
    ) -> None:
        """Let so many operations end: the next never does, or the supply goes in its middle."""
        self._trouble = _Trouble(stuck_after, power_fails_after, power_fails)
        self._operations = 0

    @property
    def protected(self) -> bool:
        """Read-out protection: a debugger may not touch the content (§3.6.3, level 1)."""
        return self._options >> 8 & 0xFF != RDP_LEVEL_0

    def _goes_wrong(self, t_ps: int) -> bool:
        """Whether the operation that is about to begin never ends."""
        trouble = self._trouble
        if trouble is None:
            return False
        self._operations += 1
        if trouble.stuck_after is not None and self._operations > trouble.stuck_after:
            self.busy_until_ps = NEVER
            return True
        fails = trouble.power_fails_after
        if fails is not None and self._operations > fails:
            self._trouble = None
            if trouble.power_fails is not None:
                trouble.power_fails()
            return True
        return False

    # ------------------------------------------------------------------ reset, access time

    def on_reset(self, t_ps: int) -> None:
        """The content outlives a reset; option bytes are loaded anew; locks are closed."""
        self._epoch += 1
        self.busy_until_ps = 0
        self._keys.clear()
        self._option_keys.clear()
        self._locked_up = self._options_locked_up = False
        self.optcr.value = self._options
        self._requests(t_ps)
        self._timing_changed(t_ps)

    @acr.on_write
    def _access_control(self, t_ps: int, written: int, before: int) -> None:
        if self.acr.PRFTEN and self.soc.board.supply_uv < PREFETCH_MIN_UV:
            self.soc.hazard(
                "flash-prefetch",
                f"prefetch is on at a supply of {show_voltage(self.soc.board.supply_uv)}",
            )
        for cache, reset in (("ICEN", "ICRST"), ("DCEN", "DCRST")):
            if self.acr.field(reset, written) and self.acr.field(cache, before):
                self.soc.hazard(
                    "flash-cache-reset",
                    f"{reset} written while {cache} is 1: the cache is not reset",
                    cure=f"clear {cache} first",
                )
        self._check_wait_states()
        if self.acr.value != before:
            self._timing_changed(t_ps)

    def _timing_changed(self, t_ps: int) -> None:
        for listener in self._timing:
            listener(t_ps)

    def wait_states_needed(self, hclk_hz: int) -> int | None:
        """Wait states that a clock asks for at the board's supply; None: beyond the table."""
        supply = self.soc.board.supply_uv
        for row in self.soc.chip.clocks.wait_states:
            if row.min_uv <= supply <= row.max_uv:
                fits = (n for n, hz in enumerate(row.hclk_hz) if hclk_hz <= hz)
                return next(fits, None)
        return None

    def _check_wait_states(self) -> None:
        hclk = self.soc.clock("HCLK").hz
        needed = self.wait_states_needed(-(-hclk.numerator // hclk.denominator))
        if needed is not None and needed > self.acr.LATENCY:
            self.soc.hazard(
                "flash-latency",
                f"{self.acr.LATENCY} flash wait states at HCLK "
                f"{show_frequency(round(hclk * MHZ_PER_HZ))}: "
                f"{needed} are needed, or wrong code is fetched",
            )

    # ------------------------------------------------------------------ locks

    @keyr.on_write
    def _key(self, t_ps: int, written: int, before: int) -> None:
        if not self.cr.LOCK:
            return
        self._keys.append(written)
        if self._locked_up or tuple(self._keys) != KEYS[: len(self._keys)]:
            self._locked_up = True
            self._wrong_key("FLASH_KEYR", "FLASH_CR")
        elif len(self._keys) == len(KEYS):
            self._keys.clear()
            self.cr.set(LOCK=0)

    @optkeyr.on_write
    def _option_key(self, t_ps: int, written: int, before: int) -> None:
        if not self.optcr.OPTLOCK:
            return
        self._option_keys.append(written)
        expected = OPTION_KEYS[: len(self._option_keys)]
        if self._options_locked_up or tuple(self._option_keys) != expected:
            self._options_locked_up = True
            self._wrong_key("FLASH_OPTKEYR", "FLASH_OPTCR")
        elif len(self._option_keys) == len(OPTION_KEYS):
            self._option_keys.clear()
            self.optcr.set(OPTLOCK=0)

    def _wrong_key(self, register: str, locked: str) -> None:
        self.soc.hazard(
            "flash-key",
            f"a wrong key in {register}: {locked} stays locked until the next reset",
        )

    # ------------------------------------------------------------------ operations

    @sr.on_peek
    def _status(self, t_ps: int) -> Peek:
        if t_ps < self.busy_until_ps:
            return Peek(self.sr.value | self._bsy, self.busy_until_ps)
        return Peek(self.sr.value & ~self._bsy, NEVER)

    @sr.on_write
    def _clear_status(self, t_ps: int, written: int, before: int) -> None:
        self._requests(t_ps)

    @cr.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        if self.cr.field("LOCK", before):
            self.cr.value = before  # not writable while locked
            return
        self._keys.clear()
        if self.cr.field("STRT", written) and not self.cr.field("STRT", before):
            self._erase(t_ps)
        self._requests(t_ps)

    def _erase(self, t_ps: int) -> None:
        start = max(t_ps, self.busy_until_ps)
        if self.cr.PG or not (self.cr.SER or self.cr.MER):
            self.cr.set(STRT=0)
            self._fail("PGSERR", "an erase", t_ps)
            return
        if self.cr.MER:
            chosen = range(len(self.sectors))
        elif len(self.sectors) > self.cr.SNB:
            chosen = range(self.cr.SNB, self.cr.SNB + 1)
        else:
            self.cr.set(STRT=0)
            self._fail("PGSERR", "an erase", t_ps)
            return
        if any(self._protected(n) for n in chosen):
            self.cr.set(STRT=0)
            self._fail("WRPERR", "an erase", t_ps)
            return
        self._check_psize()
        if self._goes_wrong(t_ps):
            offset, size = self.sectors[chosen[0]]
            if self.busy_until_ps < NEVER:  # the supply went in the middle of it
                self._put(offset, b"\xff" * (size // 2))
            return
        psize = self.cr.PSIZE
        if self.cr.MER:
            took = MASS_ERASE_PS[psize] * len(self.memory) // MASS_ERASE_SIZE
        else:
            took = ERASE_PS.get(self.sectors[self.cr.SNB][1], MASS_ERASE_PS)[psize]

        def blank() -> None:
            for n in chosen:
                offset, size = self.sectors[n]
                self._put(offset, b"\xff" * size)

        self._operate(start, took, blank)

    def _operate(self, start_ps: int, took_ps: int, effect: Callable[[], None]) -> None:
        self.busy_until_ps = start_ps + took_ps
        epoch = self._epoch

        def done(t_ps: int) -> None:
            if epoch != self._epoch:
                return  # a reset came between
            effect()
            self.cr.set(STRT=0)
            self.optcr.set(OPTSTRT=0)
            if self.cr.EOPIE:  # "set only if the end of operation interrupts are enabled"
                self.sr.set(EOP=1)
            self._requests(t_ps)

        self.soc.scheduler.at(self.busy_until_ps, done)

    def _word(self, offset: int, size: int) -> int:
        return int.from_bytes(self.memory[offset : offset + size], "little")

    def _put(self, offset: int, data: bytes) -> None:
        self.memory[offset : offset + len(data)] = data
        for listener in self._changed:
            listener(self.base + offset, len(data))

    def _program_error(self, offset: int, size: int) -> str:
        """The flag of SR that says why a store cannot program; "" when it can. §3.8.4."""
        if self.cr.value & self._modes != self._programming:
            return "PGSERR"
        if not 0 <= offset <= len(self.memory) - size:
            return "PGSERR"
        if self._protected(self._sector_at(offset)):
            return "WRPERR"
        if offset // 16 != (offset + size - 1) // 16:
            return "PGAERR"  # not within one row of 128 bits
        if size != 1 << self.cr.PSIZE:
            return "PGPERR"
        return ""

    def _sector_at(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def _protected(self, sector: int) -> bool:
        """Not write protect: a 0 in nWRP protects the sector."""
        return not self.optcr.nWRP >> sector & 1

    def _fail(self, flag: str, what: str, t_ps: int) -> None:
        self.sr.set(**{flag: 1})
        if self.cr.ERRIE:  # "set only if error interrupts are enabled"
            self.sr.set(OPERR=1)
        self.soc.hazard(
            "flash-refused",
            f"the flash refused {what}: FLASH_SR.{flag} is set",
        )
        self._requests(t_ps)

    def _check_psize(self) -> None:
        supply, psize = self.soc.board.supply_uv, self.cr.PSIZE
        if supply < PSIZE_MIN_UV[psize] or psize == 3:
            need = show_voltage(PSIZE_MIN_UV[psize]) + (" and VPP" if psize == 3 else "")
            self.soc.hazard(
                "flash-psize",
                f"parallelism x{8 << psize} needs {need}; the supply is {show_voltage(supply)}",
            )

    def _requests(self, t_ps: int) -> None:
        done, failed = self.sr.EOP and self.cr.EOPIE, self.sr.OPERR and self.cr.ERRIE
        self.irq(t_ps, "global", bool(done or failed))

    # ------------------------------------------------------------------ option bytes

    @optcr.on_write
    def _option_control(self, t_ps: int, written: int, before: int) -> None:
        if self.optcr.field("OPTLOCK", before):
            self.optcr.value = before
            return
        self._option_keys.clear()
        if self.optcr.field("RDP", before) != self.optcr.RDP:
            level = {RDP_LEVEL_0: "0", 0xCC: "2, for ever"}.get(self.optcr.RDP, "1")
            self._bricks(f"read-out protection is set to level {level}")
        if self.optcr.field("OPTSTRT", written) and not self.optcr.field("OPTSTRT", before):
            self._bricks("the option bytes are programmed")
            start = max(t_ps, self.busy_until_ps)
            self._operate(start, PROGRAM_PS, self._load_options)

    def _load_options(self) -> None:
        """The option bytes are programmed; leaving read-out protection erases all (§3.6.3)."""
        if self.protected and self.optcr.RDP == RDP_LEVEL_0:
            self._put(0, b"\xff" * len(self.memory))
        self._options = self.optcr.value & ~self.optcr.mask("OPTSTRT") | self.optcr.mask("OPTLOCK")

    def _bricks(self, what: str) -> None:
        self.soc.hazard(
            "option-bytes",
            f"{what}: the board may be locked or erased",
        )


def _sectors(sizes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Sectors as (offset, size)."""
    made, offset = [], 0
    for size in sizes:
        made.append((offset, size))
        offset += size
    return tuple(made)


PERIPHERAL = Flash
