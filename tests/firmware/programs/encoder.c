/* TIM3 counts a quadrature encoder on PA6 and PA7 (RM0368 13.3.12); where it stands is printed when
 * it has been at rest for 20 ms. */
#include "clock.h"
#include "console.h"

#ifndef SMS
#define SMS 3u /* encoder mode 3: both edges of both inputs */
#endif
#ifndef FILTER
#define FILTER 3u /* eight equal samples */
#endif

int main(void)
{
    uint32_t before = 0;

    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
    RCC_APB1ENR |= APB1_TIM2 | APB1_TIM3;
    dsb();
    GPIOA->pupdr |= 2u << 12 | 2u << 14;
    pin_function(GPIOA, 6, 2);
#ifndef ONE_PIN
    pin_function(GPIOA, 7, 2);
#endif
    TIM3->arr = 0xFFFF;
    TIM3->ccmr1 = 1u | FILTER << 4 | 1u << 8 | FILTER << 12;
    TIM3->smcr = SMS;
    TIM3->cr1 = 1;
    TIM2->psc = APB1_TIMERS / 1000000 - 1;
    TIM2->arr = 20000 - 1;
    TIM2->egr = 1;
    TIM2->sr = 0;
    TIM2->dier = 1;
    irq_enable(TIM2_IRQ);
    TIM2->cr1 = 1;
    for (uint32_t told = 0;;) {
        wfi();
        uint32_t now = TIM3->cnt;

        if (now == before && now != told) {
            put_text(TIM3->cr1 & BIT(4) ? "down to " : "up to ");
            put_number(now);
            put_text("\n");
            told = now;
        }
        before = now;
    }
}

void tim2(void)
{
    TIM2->sr = ~1u;
    dsb();
}
