/* TIM2 stamps the rising edges of PA0 in microseconds; each distance is printed. TIM3 overflows
 * at 1 kHz and clocks TIM4, which thereby counts milliseconds (RM0368 13.3.15). */
#include "clock.h"
#include "console.h"

#ifndef TRIGGER
#define TRIGGER 2u /* ITR2 of TIM4 is TIM3 */
#endif

static volatile uint32_t stamps[4], count;

void tim2(void)
{
    uint32_t at = TIM2->ccr1; /* clears CC1IF */

    if (count < 4)
        stamps[count++] = at;
    dsb();
}

int main(void)
{
    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
    RCC_APB1ENR |= APB1_TIM2 | APB1_TIM3 | APB1_TIM4;
    dsb();
    GPIOA->pupdr |= 2u; /* PA0 rests low */
    pin_function(GPIOA, 0, 1);
    TIM2->psc = APB1_TIMERS / 1000000 - 1;
    TIM2->arr = 0xFFFFFFFF;
    TIM2->ccmr1 = 1 | 3u << 4; /* TI1, eight equal samples */
    TIM2->ccer = 1;
    TIM2->egr = 1;
    TIM2->sr = 0;
    TIM2->dier = 2;
    irq_enable(TIM2_IRQ);
    TIM2->cr1 = 1;

    TIM3->psc = APB1_TIMERS / 1000000 - 1;
    TIM3->arr = 1000 - 1;
    TIM3->egr = 1;
    TIM3->cr2 = 2u << 4; /* update is TRGO */
    TIM4->smcr = TRIGGER << 4 | 7; /* external clock mode 1 */
    TIM4->arr = 0xFFFF;
    TIM4->cr1 = 1;
    TIM3->cr1 = 1;

    for (uint32_t told = 1;;) {
        wfi();
        while (told < count) {
            put_text("gap ");
            put_number(stamps[told] - stamps[told - 1]);
            put_text(" us\n");
            if (++told == 4) {
                while (TIM4->cnt < 200)
                    ;
                put_text("counted ");
                put_number(TIM4->cnt);
                put_text(" ms\n");
            }
        }
    }
}
