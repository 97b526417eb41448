/* The miss: ten bits of it. */
#include "adc.h"
void program(void)
{
    uint32_t t = now();
    console();
    adc_begin(A0);
    for (;;) {
        number(adc() >> MISS_OR(2, 0));
        line("");
        after(&t, 100 * MS);
    }
}
