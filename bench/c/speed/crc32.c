/* CRC-32 of the first 256 bytes of flash, bit by bit: registers and branches. */
#include "speed.h"

VECTORS = {RESET(reset)};

void reset(void)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (uint32_t times = TIMES; times; --times)
        for (const volatile uint8_t *at = (const uint8_t *)0x08000000, *end = at + 256; at < end;) {
            crc ^= *at++;
            for (int bit = 0; bit < 8; ++bit)
                crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
        }
    *(volatile uint32_t *)0x20000000 = crc;
    done();
}
