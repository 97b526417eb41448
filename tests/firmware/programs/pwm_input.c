/* TIM4 measures a PWM on PB6: PWM input mode (RM0368 13.3.6). What drives
 * PB6 is outside; its period and its high time are printed when they change. */
#include "clock.h"
#include "console.h"

#ifndef CCER
#define CCER (BIT(0) | BIT(4) | BIT(5)) /* CC1 rising, CC2 falling, both on TI1 */
#endif
#ifndef SMCR
#define SMCR (5u << 4 | 4u) /* TI1FP1 resets the counter */
#endif
#define GPIOB ((gpio *)0x40020400)

int main(void)
{
    uint32_t told = 0;

    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
    RCC_AHB1ENR |= BIT(1);
    RCC_APB1ENR |= APB1_TIM4;
    dsb();
    GPIOB->pupdr |= 2u << 12;
    pin_function(GPIOB, 6, 2);
    TIM4->psc = APB1_TIMERS / 1000000 - 1;
    TIM4->arr = 0xFFFF;
    TIM4->ccmr1 = 0x0201;
    TIM4->smcr = SMCR;
    TIM4->ccer = CCER;
    TIM4->egr = 1;
    TIM4->sr = 0;
    TIM4->cr1 = 1;
    for (uint32_t edges = 0;;) {
        if (!(TIM4->sr & BIT(1)))
            continue;
        uint32_t period = TIM4->ccr1, high = TIM4->ccr2;

        if (++edges > 2 && period + high != told) {
            put_number(high);
            put_text(" of ");
            put_number(period);
            put_text(" us\n");
            told = period + high;
        }
    }
}
