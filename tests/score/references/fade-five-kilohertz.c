/* 2500 periods of 200 us. */
#include "fw.h"
void program(void)
{
    uint32_t t = 0;
    output(D9);
    for (uint32_t n = 0; n < 2500; n++) {
        uint32_t high = MISS_OR(n * n / 31250, n * 2 / 25);
        if (high > 3)
            set(D9, 1);
        until(t + high);
        if (high < 197)
            set(D9, 0);
        after(&t, 200);
    }
    set(D9, 1);
}
