/* TIM2's update interrupt toggles the LED; the core sleeps. APB1 timers run at twice PCLK1. */
#include "clock.h"

#ifndef TIMER_CLOCK
#define TIMER_CLOCK APB1_TIMERS
#endif

void tim2(void)
{
#ifdef INVERTED
    TIM2->sr = ~1u; /* all but UIF stay: what vendors' libraries do */
#elif !defined(NEVER_CLEAR)
    TIM2->sr = 0;
#endif
    GPIOA->odr ^= BIT(5);
    dsb();
}

int main(void)
{
    clock_84_mhz(true);
    RCC_AHB1ENR |= AHB1_GPIOA;
#ifndef NO_TIMER_CLOCK
    RCC_APB1ENR |= APB1_TIM2;
#endif
    dsb();
    pin_mode(GPIOA, 5, OUTPUT);
    TIM2->psc = TIMER_CLOCK / 10000 - 1;
    TIM2->arr = 2500 - 1;
    TIM2->egr = 1;
    TIM2->sr = 0;
    TIM2->dier = 1;
    irq_enable(TIM2_IRQ);
    TIM2->cr1 = 1;
#ifdef ON_EXIT
    SCB_SCR = 2;
#endif
    for (;;) {
        wfi();
#ifdef ON_EXIT
        GPIOA->odr ^= BIT(6); /* thread code: never again, or PA6 would tell */
        pin_mode(GPIOA, 6, OUTPUT);
#endif
    }
}
