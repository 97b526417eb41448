/* Sector 3 of flash: erased, programmed word by word, read back. RM0368 3.5. */
#include "console.h"

#define SECTOR 3u
#define AT ((volatile uint32_t *)0x0800C000)

static void settle(void)
{
    while (FLASH_SR & BIT(16))
        ;
}

static void erase(void)
{
    FLASH_CR = 2u << 8 | SECTOR << 3 | BIT(1);
    FLASH_CR |= BIT(16);
    settle();
    FLASH_CR = 0;
}

int main(void)
{
    uint32_t wrong = 0;

    console_begin(16000000, 115200);
#ifndef LOCKED
    FLASH_KEYR = 0x45670123;
    FLASH_KEYR = 0xCDEF89AB;
#endif
    for (uint32_t round = 0; round < 2; round++) {
#ifdef ERASE_ONCE
        if (!round)
#endif
            erase();
        for (uint32_t n = 0; n < 64; n++)
            wrong += AT[n] != 0xFFFFFFFF;
        FLASH_CR = 2u << 8 | BIT(0);
        for (uint32_t n = 0; n < 64; n++) {
            AT[n] = n * 0x01010101 + round;
            settle();
        }
        FLASH_CR = 0;
        for (uint32_t n = 0; n < 64; n++)
            wrong += AT[n] != n * 0x01010101 + round;
        put_text("round ");
        put_number(round);
        put_text(" wrong ");
        put_number(wrong);
        put_text("\n");
    }
    FLASH_CR = BIT(31);
    for (;;)
        wfi();
}
