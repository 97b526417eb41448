"""Analog-to-digital converter of STM32F2/F4. RM0368 §11."""

from fwgen.machine.stm32.adc_v2.adc import Adc

PERIPHERAL = Adc
