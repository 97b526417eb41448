/* TIM3 channel 1 on PA6: 1 kHz, its duty from 10 % to 90 % in a second, a step each period. */
#include "clock.h"

#ifndef FUNCTION
#define FUNCTION 2 /* AF2 */
#endif
#ifndef CCER
#define CCER 1u
#endif

void tim3(void)
{
    TIM3->sr = 0;
    if (TIM3->ccr1 < 900)
        TIM3->ccr1++;
    else
        TIM3->ccr1 = 100;
    dsb();
}

int main(void)
{
    clock_84_mhz(false);
    RCC_AHB1ENR |= AHB1_GPIOA;
    RCC_APB1ENR |= APB1_TIM3;
    dsb();
    TIM3->psc = APB1_TIMERS / 1000000 - 1;
    TIM3->arr = 1000 - 1;
    TIM3->ccr1 = 100;
    TIM3->ccmr1 = 6u << 4 | BIT(3); /* PWM mode 1, preloaded */
    TIM3->ccer = CCER;
    TIM3->egr = 1;
    TIM3->sr = 0;
    TIM3->dier = 1;
    irq_enable(TIM3_IRQ);
    pin_function(GPIOA, 6, FUNCTION);
    TIM3->cr1 = BIT(7) | 1;
    for (;;)
        wfi();
}
