"""bxCAN of STM32F1/F2/F4. RM0090 §32."""

from fwgen.machine.stm32.can_v1.can import Can

PERIPHERAL = Can
