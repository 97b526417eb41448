/* USART2 on PA2, 115200 baud, 8N1. Its request wakes the core for each byte (interrupts are off,
 * so it is never taken): the core sleeps while a byte is on its way. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "stm32f401.h"

#define USART_ON (USART_CR1_UE | USART_CR1_TE)

static inline void console_begin(uint32_t more_ports)
{
    RCC->ahb1enr = RCC_AHB1ENR_GPIOA | more_ports;
    RCC->apb1enr = RCC_APB1ENR_USART2;
    dsb();
    USART2->brr = BAUD_115200;
    USART2->cr1 = USART_ON;
    GPIOA->afrl = 7u << 4 * 2;
    GPIOA->moder = GPIOA_MODER_RESET | ALTERNATE(2);
    NVIC->iser[USART2_IRQ / 32] = 1u << USART2_IRQ % 32;
}

static void put(uint32_t byte)
{
    USART2->cr1 = USART_ON | USART_CR1_TXEIE;
    while (!(USART2->sr & USART_SR_TXE))
        wfi();
    USART2->cr1 = USART_ON;
    NVIC->icpr[USART2_IRQ / 32] = 1u << USART2_IRQ % 32;
    USART2->dr = byte;
}

static inline void put_text(const char *text)
{
    while (*text)
        put((uint8_t)*text++);
}

static inline void put_number(uint32_t n)
{
    char digits[11];
    char *at = digits + sizeof digits;

    *--at = 0;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    put_text(at);
}

#endif
