"""Flash algorithms for the flash controllers of STM32 chips."""
