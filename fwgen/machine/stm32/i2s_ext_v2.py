"""I2S2ext and I2S3ext: full duplex beside I2S2 and I2S3. RM0368 §20.4.2."""

from fwgen.machine.stm32.spi_v2.extension import I2sExtension

PERIPHERAL = I2sExtension
