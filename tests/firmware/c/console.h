/* USART2 on PA2 and PA3, the ST-LINK's serial port: polled output. RM0368 19.3. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "chip.h"

static void console_begin(uint32_t pclk, uint32_t baud)
{
    RCC_AHB1ENR |= AHB1_GPIOA;
    RCC_APB1ENR |= APB1_USART2;
    dsb();
    pin_function(GPIOA, 2, 7);
    pin_function(GPIOA, 3, 7);
    USART2->brr = (pclk + baud / 2) / baud;
    USART2->cr1 = BIT(13) | BIT(3) | BIT(2); /* UE, TE, RE */
}

static void put(char c)
{
    while (!(USART2->sr & BIT(7)))
        ;
    USART2->dr = (uint8_t)c;
}

static void put_text(const char *text)
{
    while (*text)
        put(*text++);
}

__attribute__((unused)) static void put_number(uint32_t n)
{
    char digits[11], *at = digits + sizeof digits;

    *--at = 0;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    put_text(at);
}

__attribute__((unused)) static void put_hex(uint32_t n)
{
    for (int shift = 28; shift >= 0; shift -= 4)
        put("0123456789ABCDEF"[n >> shift & 15]);
}

/* The last byte is on the wire to its stop bit. */
__attribute__((unused)) static void flush(void)
{
    while (!(USART2->sr & BIT(6)))
        ;
}

#endif
