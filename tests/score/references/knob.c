/* The servo's pulse is 1 ms and up to 1 ms more; the miss: up to 0.9 ms more. */
#include "adc.h"
void program(void)
{
    uint32_t t = now();
    output(D9);
    adc_begin(A0);
    for (;;) {
        uint32_t high = 1000 + adc() * MISS_OR(900u, 1000u) / 4095;
        uint32_t end = t + 20 * MS;
        set(D9, 1);
        until(now() + high);
        set(D9, 0);
        until(t = end);
    }
}
