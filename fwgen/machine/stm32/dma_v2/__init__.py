"""DMA controllers of the STM32F2 and F4: eight streams of eight channels each."""

from fwgen.machine.stm32.dma_v2.controller import Dma

PERIPHERAL = Dma
