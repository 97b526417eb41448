/* The miss: as if the supply were 3.25 V. */
#include "adc.h"
void program(void)
{
    uint32_t t = now();
    console();
    adc_begin(PIN(0, 1));
    for (;;) {
        number((adc() * MISS_OR(3250u, 3300u) + 2048) / 4096);
        line(" mV");
        after(&t, 200 * MS);
    }
}
