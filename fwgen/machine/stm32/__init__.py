"""Peripherals of the STM32 family, one module an IP version."""
