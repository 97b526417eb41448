/* The CRC unit. RM0368 4. */
#include "console.h"

int main(void)
{
    console_begin(16000000, 115200);
#ifndef NO_CLOCK
    RCC_AHB1ENR |= AHB1_CRC;
    dsb();
#endif
    CRC_CR = 1;
#ifdef BYTES
    *(volatile uint8_t *)&CRC_DR = 0x78;
#else
    CRC_DR = 0x12345678;
#endif
    put_hex(CRC_DR);
    put('\n');
    for (uint32_t n = 0; n < 100; n++)
        CRC_DR = n;
    CRC_IDR = 0x5A;
    put_hex(CRC_DR ^ CRC_IDR << 24);
    put('\n');
    for (;;)
        wfi();
}
