/* Echo by interrupts: RXNE fills a ring, TXE drains it, letters become capitals. */
#include "clock.h"
#include "console.h"

#ifndef BAUD
#define BAUD 115200
#endif
#ifndef CLOCK
#define CLOCK PCLK1
#endif

static volatile uint8_t ring[64];
static volatile uint32_t in, out;

void usart2(void)
{
    uint32_t sr = USART2->sr;

    if (sr & BIT(5)) {
        uint8_t c = (uint8_t)USART2->dr;
#ifdef SLOW
        for (volatile int n = 0; n < 20000; n++)
            ;
#endif
        ring[in++ % sizeof ring] = c >= 'a' && c <= 'z' ? c - 32 : c;
        USART2->cr1 |= BIT(7);
    }
    if ((USART2->cr1 & BIT(7)) && (sr & BIT(7))) {
        if (out != in)
            USART2->dr = ring[out++ % sizeof ring];
        if (out == in)
            USART2->cr1 &= ~BIT(7);
    }
    dsb();
}

int main(void)
{
    clock_84_mhz(true);
    console_begin(CLOCK, BAUD);
#ifdef NO_FUNCTION
    pin_function(GPIOA, 2, 0);
#endif
    USART2->cr1 |= BIT(5);
    irq_enable(USART2_IRQ);
    for (;;)
        wfi();
}
