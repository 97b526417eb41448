"""I2C of the STM32F4. RM0368 §18."""

from fwgen.machine.stm32.i2c_v1.port import I2c

PERIPHERAL = I2c
