/* Waiting in a loop of known length, and pins by name of port and bit. */
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

/* Four cycles a round on a Cortex-M4 without wait states. */
static inline void pause_us(uint32_t us)
{
    uint32_t rounds = us * (CORE_HZ / 1000000) / 4 + 1;

    __asm volatile("1: subs %0, #1\n bne 1b" : "+r"(rounds) : : "cc");
}

__attribute__((unused)) static void pause_ms(uint32_t ms)
{
    while (ms--)
        pause_us(1000);
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
    RCC_AHB1ENR |= AHB1_GPIOA | AHB1_GPIOB | AHB1_GPIOC;
    dsb();
}

#endif
