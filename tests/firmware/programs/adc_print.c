/* Every 100 ms one conversion of A0, waited for and printed: the code, and millivolts. */
#include "clock.h"
#include "console.h"
#include "analog.h"

#ifndef CHANNEL
#define CHANNEL 0
#endif
#ifndef FULL
#define FULL 4096
#endif

void systick(void) {}

int main(void)
{
    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
    adc_begin();
    ADC1->sqr3 = CHANNEL;
    SYST_RVR = HCLK / 10 - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
    for (;;) {
        wfi();
        ADC1->cr2 |= BIT(30); /* SWSTART */
#ifndef HASTY
        while (!(ADC1->sr & BIT(1)))
            ;
#endif
        uint32_t code = ADC1->dr;

        put_text("code ");
        put_number(code);
        put_text(", ");
        put_number(code * 3300 / FULL);
        put_text(" mV\r\n");
    }
}
