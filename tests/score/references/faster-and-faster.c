/* 1, 2 and 4 Hz, four seconds each. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    output(LED);
    for (;;)
        for (uint32_t half = S / 2; half >= S / 8; half /= 2)
            for (uint32_t n = 0; n < 4 * S / half; n++) {
                set(LED, !(n & 1));
                after(&t, MISS_OR(half + half / 32, half));
            }
}
