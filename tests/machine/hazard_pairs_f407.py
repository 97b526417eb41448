"""Pairs of what the STM32F407 has beside the STM32F401: several ADCs, the DAC, bxCAN."""

from __future__ import annotations

from dataclasses import fields

from fwgen.board import load_board
from fwgen.board.types import Device
from fwgen.contract import Analog
from tests.machine.core.dma import poke
from tests.machine.hazard_pairs import MODER, RCC, SWD, Pair, pause, wait

DISCOVERY = load_board("stm32f4-discovery")
FACTS: dict[str, object] = {f.name: getattr(DISCOVERY, f.name) for f in fields(DISCOVERY)}
LOOP: dict[str, object] = {**FACTS, "devices": {"W": Device("W", "wire", {"a": "PD0", "b": "PD1"})}}

# ---------------------------------------------------------------------------- ADC

ADC1, ADC2, CCR = 0x4001_2000, 0x4001_2100, 0x4001_2304
HELD = (Analog("PA1", 0, ((0, 10**6),)), Analog("PA2", 0, ((0, 10**6),)))


def adcs(second: int) -> str:
    """ADC1 and ADC2 convert simultaneously; ``second`` is ADC2's CR2."""
    return "\n".join([
        poke((RCC + 0x30, 1), (RCC + 0x44, 3 << 8)), "nop\n" * 8,
        poke((MODER, SWD | 0x3C), (CCR, 6), (ADC1 + 0x34, 1), (ADC2 + 0x34, 2)),
        poke((ADC2 + 8, second), (ADC1 + 8, 1)), pause(200), poke((ADC1 + 8, 1 << 30 | 1)),
        wait(ADC1, 2), poke((CCR, 0)),
    ])  # fmt: skip


# ---------------------------------------------------------------------------- DAC

DAC, TIM6 = 0x4000_7400, 0x4000_1000
EN, TEN, SOFTWARE, DMAEN = 1, 4, 7 << 3, 1 << 12
TICKS = poke((TIM6 + 4, 2 << 4), (TIM6 + 0x2C, 99), (TIM6, 1)) + pause(500)


def dac(cr: int, *more: str, moder: int = SWD | 0x300) -> str:
    """Channel 1 is switched on with 2048 in it, and awake."""
    return "\n".join([
        poke((RCC + 0x30, 1), (RCC + 0x40, 1 << 29 | 1 << 4)), "nop\n" * 8,
        poke((MODER, moder), (DAC + 8, 2048), (DAC, cr)), pause(100), *more,
    ])  # fmt: skip


def code(value: int) -> str:
    return poke((DAC + 8, value))


# ---------------------------------------------------------------------------- CAN

CAN, GPIOD = 0x4000_6400, 0x4002_0C00
MCR, BTR, FMR, FA1R, FILTER = CAN, CAN + 0x1C, CAN + 0x200, CAN + 0x21C, CAN + 0x240
TI, MILLION, LOOPED, NART = CAN + 0x180, 1 | 4 << 16 | 1 << 20, 3 << 30, 1 << 4
OPEN = poke((FMR, 0x2A1C_0E01), (CAN + 0x20C, 1), (FA1R, 1), (FMR, 0x2A1C_0E00))
SEND = poke((TI, 5 << 21 | 1))


def sent(times: int) -> str:
    """So many frames, one after the other."""
    return "".join(SEND + pause(500) for _ in range(times))


def can(*more: str, btr: int = MILLION | LOOPED, mcr: int = 0) -> str:
    """CAN1 through initialisation, in self-test unless BTR says otherwise."""
    return "\n".join([
        poke((RCC + 0x30, 8), (RCC + 0x40, 1 << 25)), "nop\n" * 8,
        poke((GPIOD + 0x20, 0x99), (GPIOD, 0xA)),
        poke((MCR, 1 << 16 | 1)), wait(CAN + 4, 1), poke((BTR, btr), (MCR, 1 << 16 | mcr)),
        pause(200), *more,
    ])  # fmt: skip


def pair(wrong: str, right: str, says: str, **more: object) -> Pair:
    """Both run on the STM32F4DISCOVERY."""
    return Pair(wrong, right, says, **{"board": FACTS, **more})


PAIRS: dict[str, Pair] = {
    "adc-multi": pair(adcs(0), adcs(1), "ADC2, which is off", stimuli=HELD),
    "can-alone": pair(
        can(sent(1), btr=MILLION, mcr=NART), can(btr=MILLION, mcr=NART), "nobody acknowledges",
        board=LOOP,
    ),
    "can-bit-rate": pair(can(btr=4 << 16 | 1 << 20 | LOOPED), can(), "2000 kbit/s"),
    "can-filter-locked": pair(
        can(OPEN, poke((FILTER, 1))), can(poke((FILTER, 1)), OPEN), "FINIT is 0"
    ),
    "can-locked": pair(can(poke((BTR, 5))), can(), "INAK is 0"),
    "can-mailbox": pair(can(SEND, SEND), can(SEND), "mailbox 0 is written"),
    "can-no-bus": pair(can(btr=MILLION), can(), "floats"),
    "can-overrun": pair(can(OPEN, sent(4)), can(OPEN, sent(3)), "FIFO 0 was full"),
    "dac-locked": pair(
        dac(EN | TEN | SOFTWARE, poke((DAC, EN | TEN))),
        dac(EN | TEN | SOFTWARE, poke((DAC, 0), (DAC, EN | TEN))), "TSEL1 is written",
    ),
    "dac-pin-mode": pair(dac(EN, moder=SWD), dac(EN), "PA4 is not in analog mode"),
    "dac-settling": pair(
        dac(EN, pause(100), code(1000), code(3000)),
        dac(EN, pause(100), code(1000), pause(100), code(3000)), "before the last one settled",
    ),
    "dac-swing": pair(dac(EN, pause(100), code(4095)), dac(EN, pause(100), code(3000)), "3 V"),
    "dac-trigger": pair(
        dac(EN, poke((DAC + 4, 1))), dac(EN | TEN | SOFTWARE, poke((DAC + 4, 1))), "SWTRIG1"
    ),
    "dac-underrun": pair(
        dac(EN | TEN | DMAEN, TICKS), dac(EN | TEN, TICKS), "before the DMA brought data"
    ),
}  # fmt: skip
