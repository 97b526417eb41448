/* A timer triggers a conversion of A0 a thousand times a second; its interrupt lights LD2 above half
 * of the supply. The core sleeps. */
#include "clock.h"
#include "analog.h"

#ifndef EXTSEL
#define EXTSEL 6u /* TIM2_TRGO */
#endif
#ifndef THRESHOLD
#define THRESHOLD 2048u
#endif

void adc1(void)
{
#ifndef NEVER_READ
    GPIOA->bsrr = ADC1->dr > THRESHOLD ? BIT(5) : BIT(5 + 16);
#else
    ADC1->sr = 0;
#endif
    dsb();
}

int main(void)
{
    clock_84_mhz(true);
    adc_begin();
    pin_mode(GPIOA, 5, OUTPUT);
    ADC1->cr1 = BIT(5);                          /* EOCIE */
    ADC1->cr2 |= BIT(28) | EXTSEL << 24;         /* rising */
    irq_enable(ADC_IRQ);
    RCC_APB1ENR |= APB1_TIM2;
    dsb();
    TIM2->psc = 83;
    TIM2->arr = 999;
    TIM2->cr2 = 2u << 4; /* TRGO on update */
    TIM2->cr1 = 1;
    for (;;)
        wfi();
}
