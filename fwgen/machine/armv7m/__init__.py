"""The ARMv7-M core and what Arm puts beside it: exceptions, SysTick, NVIC, SCB, DWT, FPU."""
