/* ADC1 at 21 MHz, its pins in analog mode, switched on and stable. RM0368 11.3. */
#ifndef ANALOG_H
#define ANALOG_H

#include "chip.h"

#ifndef ADCPRE
#define ADCPRE 1u /* PCLK2 / 4: ADCCLK stands 36 MHz */
#endif
#ifndef MODE
#define MODE ANALOG
#endif
#ifndef SMP
#define SMP 4u /* 84 cycles: time for a source of ten kiloohm */
#endif

static void adc_begin(void)
{
    RCC_AHB1ENR |= AHB1_GPIOA;
    RCC_APB2ENR |= APB2_ADC1;
    dsb();
    pin_mode(GPIOA, 0, MODE);
    pin_mode(GPIOA, 1, MODE);
    ADC_CCR = ADCPRE << 16;
    ADC1->smpr2 = SMP | SMP << 3;
    ADC1->cr2 = BIT(0); /* ADON */
#ifndef NO_WAIT
    for (volatile int n = 0; n < 100; n++)
        ;
#endif
}

#endif
