/* Waiting by the cycle counter, and pins by name of port and bit. */
#ifndef PAUSE_H
#define PAUSE_H

#include "chip.h"

#define GPIOB ((gpio *)0x40020400)
#define AHB1_GPIOB BIT(1)

typedef struct {
    gpio *port;
    unsigned pin;
} line;

enum { CORE_HZ = 16000000 }; /* the HSI, as after reset: no wait states */

/* By CYCCNT: what a round of a loop takes is a range. ports_begin sets it going. */
static inline void pause_us(uint32_t us)
{
    const uint32_t since = *(volatile uint32_t *)0xE0001004;

    while (*(volatile uint32_t *)0xE0001004 - since < us * (CORE_HZ / 1000000))
        ;
}

/* By the SysTick: long waits are flag polls. */
__attribute__((unused)) static void pause_ms(uint32_t ms)
{
    volatile uint32_t *const systick = (volatile uint32_t *)0xE000E010;

    systick[1] = CORE_HZ / 1000 - 1;
    systick[2] = 0;
    systick[0] = 5;
    while (ms)
        if (*systick & BIT(16))
            --ms;
    systick[0] = 0;
}

static inline void set(line l, bool high) { l.port->bsrr = BIT(l.pin) << (high ? 0 : 16); }
static inline bool get(line l) { return l.port->idr >> l.pin & 1; }

__attribute__((unused)) static void output(line l, bool level)
{
    set(l, level);
    pin_mode(l.port, l.pin, OUTPUT);
}

__attribute__((unused)) static void pulled_up(line l)
{
    l.port->pupdr = (l.port->pupdr & ~(3u << 2 * l.pin)) | 1u << 2 * l.pin;
    pin_mode(l.port, l.pin, INPUT);
}

/* An open drain: what hangs on the wire may pull it low, too. */
__attribute__((unused)) static void open_drain(line l)
{
    set(l, true);
    l.port->otyper |= BIT(l.pin);
    pin_mode(l.port, l.pin, OUTPUT);
}

static void ports_begin(void)
{
    *(volatile uint32_t *)0xE000EDFC |= BIT(24); /* DEMCR.TRCENA */
    *(volatile uint32_t *)0xE0001000 |= 1;       /* DWT_CTRL.CYCCNTENA */
    RCC_AHB1ENR |= AHB1_GPIOA | AHB1_GPIOB | AHB1_GPIOC;
    dsb();
}

#endif
