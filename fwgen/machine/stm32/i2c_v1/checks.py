"""What silicon would do badly on an I2C bus: rates, rise times, pins without a pull-up."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from fwgen.machine.peripheral import Register
    from fwgen.machine.stm32.i2c_v1.port import I2c

MHZ = 1_000_000
STANDARD_HZ, FAST_HZ = 100_000, 400_000
_SLACK = Fraction(102, 100)


def scl_ticks(port: I2c) -> tuple[int, int]:
    """How many ticks of PCLK1 SCL is low and high (§18.6.8)."""
    ccr, n = port.ccr, port.ccr.CCR
    if not ccr.FS:
        return n, n
    return (16 * n, 9 * n) if ccr.DUTY else (2 * n, n)


def scl_hz(port: I2c) -> Fraction:
    """The rate of SCL, rise times aside."""
    return port.clock.hz / max(1, sum(scl_ticks(port)))


def check_timing(port: I2c) -> None:
    """FREQ, CCR and TRISE against the clock, when a START is asked for."""
    hz, freq = port.clock.hz, port.cr2.FREQ
    if not hz:
        return
    pclk = hz / MHZ
    if abs(freq - pclk) >= 1:
        _hazard(
            port,
            "i2c-freq",
            f"{port.name}: FREQ says {freq} MHz, its clock is {float(pclk):g} MHz: set-up"
            " and hold times are wrong",
            "§18.6.2",
            f"set FREQ in CR2 to {int(pclk)}",
        )
    fast = bool(port.ccr.FS)
    least = 4 if fast else 2
    if pclk < least:
        _hazard(
            port,
            "i2c-freq",
            f"{port.name} needs {least} MHz for this mode; its clock is {float(pclk):g} MHz",
            "§18.3.3",
            "raise PCLK1",
        )
    limit, rate = (FAST_HZ if fast else STANDARD_HZ), scl_hz(port)
    if rate > limit * _SLACK:
        better = -(-hz // (limit * ((25 if port.ccr.DUTY else 3) if fast else 2)))
        _hazard(
            port,
            "i2c-too-fast",
            f"{port.name}: SCL runs at {float(rate):.0f} Hz; this mode allows {limit} Hz",
            "§18.6.8",
            f"set CCR to {better} or more",
        )
    wanted = freq * 300 // 1000 + 1 if fast else freq + 1
    if wanted > port.trise.TRISE:
        _hazard(
            port,
            "i2c-trise",
            f"{port.name}: TRISE is {port.trise.TRISE}, less than the mode's longest rise time"
            " needs",
            "§18.6.9",
            f"set TRISE to {wanted}",
        )


def check_pending(port: I2c, before: int) -> None:
    """CR1 is written while hardware has still to clear one of its bits."""
    bits = [bit for bit in ("START", "STOP", "PEC") if port.cr1.field(bit, before)]
    if bits:
        _hazard(
            port,
            "i2c-cr1-pending",
            f"{port.name}.CR1 written while {' and '.join(bits)} had still to come",
            "§18.6.1",
            f"wait until {' and '.join(bits)} is 0 in CR1 before writing it",
        )


def check_reconfigured(port: I2c, register: Register, before: int) -> None:
    """CCR and TRISE are to be written while PE is 0."""
    if port.cr1.PE and register.value != before:
        _hazard(
            port,
            "i2c-reconfigured",
            f"{port.name}.{register.name} changed while PE is 1",
            "§18.6.8, §18.6.9",
            f"clear PE, write {register.name}, and set PE again",
        )


def check_pins(port: I2c) -> bool:
    """Whether the bus can work at all: both lines on a pin, open drain, pulled up."""
    lines, fine = port.lines, True
    for name, signal in (("SCL", lines.scl_in), ("SDA", lines.sda_in)):
        pad = signal.pad
        if pad is None:
            fine = False
            _hazard(
                port,
                "i2c-not-connected",
                f"no pin is set to {port.name}_{name}: the bus goes nowhere",
                "§8.3.2",
                f"set MODER to alternate function and AFR of a pin with {port.name}_{name}",
            )
            continue
        if pad.source is not None and not pad.open_drain:
            _hazard(
                port,
                "i2c-push-pull",
                f"{pad.name} drives {name} high, too: parts that pull it low fight it",
                "§8.3.7",
                "set the pin's bit in OTYPER: open drain",
            )
        elif pad.pulled != 1:
            fine = False
            _hazard(
                port,
                "i2c-no-pull-up",
                f"nothing pulls {name} ({pad.name}) up: the bus stays low",
                "UM10204 §7.1",
                'fit a resistor to the supply (in the board or contract: kind = "resistor", pull ='
                ' "up"), or for slow tries set the pull-up in PUPDR',
            )
        elif not pad.pulled_by_board:
            _hazard(
                port,
                "i2c-weak-pull-up-fast" if port.ccr.FS else "i2c-weak-pull-up",
                f"only the chip's weak pull-up raises {name} ({pad.name}): edges are slow",
                "UM10204 §7.1, DS10086 RPU",
                "fit a resistor of some kilohms to the supply",
            )
    return fine


def _hazard(port: I2c, code: str, message: str, section: str, cure: str) -> None:
    source = section if section.startswith("UM") else f"RM0368 {section}"
    port.soc.hazard(code, message, section=source, cure=cure)


def period_ps(port: I2c, ticks: int) -> int:
    """So many ticks of PCLK1 as a time."""
    return int(ticks * PS_PER_S / port.clock.hz) if port.clock.hz else 0
