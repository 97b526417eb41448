"""SPI and I2S of the STM32F4. RM0368 §20."""

from fwgen.machine.stm32.spi_v2.port import Spi

PERIPHERAL = Spi
