/* The miss: 60 % of the supply. */
#include "adc.h"
void program(void)
{
    uint32_t t = now();
    output(LED);
    adc_begin(A0);
    for (;;) {
        set(LED, adc() > MISS_OR(2457u, 2048u));
        after(&t, 5 * MS);
    }
}
