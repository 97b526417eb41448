"""Pieces of firmware that set up streams, for tests: assembly that pokes registers."""

from __future__ import annotations

RCC_AHB1ENR, RCC_APB1ENR, RCC_APB2ENR = 0x4002_3830, 0x4002_3840, 0x4002_3844
GPIOA, USART2, TIM1, TIM2 = 0x4002_0000, 0x4000_4400, 0x4001_0000, 0x4000_0000
DMA1, DMA2, NVIC = 0x4002_6000, 0x4002_6400, 0xE000_E100
TARGET, BUFFER = 0x2000_4000, 0x2000_6000


def poke(*pairs: tuple[int, int | str]) -> str:
    """Store words, numbers or labels; r0 and r1 are lost."""
    return "\n".join(f"ldr r0, ={at:#x}\nldr r1, ={value}\nstr r1, [r0, #0]" for at, value in pairs)


def clocks() -> str:
    """GPIOA, both controllers, USART2, TIM1 and TIM2 are clocked; some cycles pass."""
    return poke((RCC_AHB1ENR, 0x60_0001), (RCC_APB1ENR, 0x2_0001), (RCC_APB2ENR, 1)) + "\nnop" * 8


def stream(
    dma: int, number: int, cr: int, ndtr: int, par: int | str, m0ar: int | str, **more: int
) -> str:
    """Set up a stream and enable it."""
    base = dma + 0x10 + 0x18 * number
    pairs: list[tuple[int, int | str]] = [(base + 4, ndtr), (base + 8, par), (base + 12, m0ar)]
    pairs += [(base + {"m1ar": 16, "fcr": 20}[name], value) for name, value in more.items()]
    return poke(*pairs, (base, cr | 1))


def serial(cr1: int, cr3: int) -> str:
    """USART2 on PA2 and PA3 at 115200 baud of 16 MHz."""
    return poke(
        (GPIOA, 0xA800_00A0), (GPIOA + 0x20, 0x7700), (USART2 + 8, 139),
        (USART2 + 0x14, cr3), (USART2 + 0xC, 0x2000 | cr1),
    )  # fmt: skip
