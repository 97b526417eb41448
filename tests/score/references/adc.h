/* One conversion at a time by ADC1, started by software. */
#ifndef ADC_H
#define ADC_H

#include "fw.h"

struct adc {
    volatile uint32_t sr, cr1, cr2, smpr1, smpr2, jofr[4], htr, ltr, sqr1, sqr2, sqr3, jsqr, jdr[4],
        dr;
};
#define ADC1 ((struct adc *)0x40012000)
#define RCC_APB2ENR_ADC1 (1u << 8)
#define ADC_CR2_ADON 1u
#define ADC_CR2_SWSTART (1u << 30)
#define ADC_SR_EOC (1u << 1)

/* A pin of port A from A0 on is channel 0 and so on; 84 cycles to sample. */
static inline void adc_begin(int pin)
{
    uint32_t n = pin & 15;
    mode(pin, 3);
    RCC->apb2enr |= RCC_APB2ENR_ADC1;
    dsb();
    ADC1->smpr2 = 4u << 3 * n;
    ADC1->sqr3 = n;
    ADC1->cr2 = ADC_CR2_ADON;
    until(now() + 10);
}
static inline uint32_t adc(void)
{
    ADC1->cr2 = ADC_CR2_ADON | ADC_CR2_SWSTART;
    while (!(ADC1->sr & ADC_SR_EOC))
        ;
    return ADC1->dr;
}
#endif
