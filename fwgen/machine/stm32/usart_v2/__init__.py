"""USART of the STM32F4. ``usart`` sends and receives; beside it what it is made of."""

from fwgen.machine.stm32.usart_v2.usart import Usart

PERIPHERAL = Usart
