/* The analog watchdog guards A0 while it converts without end: its interrupt lights LD2 and has the
 * injected group measure A1, which is printed, in hundreds below an offset. */
#include "clock.h"
#include "console.h"
#include "analog.h"

#ifndef HIGH
#define HIGH 2482u /* 2 V */
#endif
#ifndef GUARD
#define GUARD (BIT(23) | BIT(9) | 0) /* AWDEN, AWDSGL, channel 0 */
#endif

static volatile bool barked, measured;

void adc1(void)
{
    if (ADC1->sr & BIT(0)) {
        GPIOA->bsrr = BIT(5);
        ADC1->cr1 &= ~BIT(6); /* AWDIE */
        ADC1->sr = ~BIT(0);
        barked = true;
        ADC1->cr2 |= BIT(22); /* JSWSTART */
    }
    if (ADC1->sr & BIT(2)) {
        ADC1->sr = ~BIT(2);
        measured = true;
    }
    dsb();
}

int main(void)
{
    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
    adc_begin();
    pin_mode(GPIOA, 5, OUTPUT);
    ADC1->htr = HIGH;
    ADC1->jsqr = 1u << 15; /* JSQ4: A1 */
    ADC1->jofr[0] = 1000;
    ADC1->cr1 = GUARD | BIT(6) | BIT(7); /* AWDIE, JEOCIE */
    ADC1->cr2 |= BIT(1);
    ADC1->cr2 |= BIT(30);
    irq_enable(ADC_IRQ);
    while (!measured)
        wfi();
    put_text("A1 is ");
    int32_t value = (int16_t)ADC1->jdr[0];
    if (value < 0)
        put('-');
    put_number((uint32_t)(value < 0 ? -value : value));
    put_text(" off\r\n");
    for (;;)
        wfi();
}
