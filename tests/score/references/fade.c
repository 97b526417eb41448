/* A thousand periods up, a thousand down. */
#include "fw.h"
void program(void)
{
    uint32_t t = 0;
    output(LED);
    for (uint32_t ms = 0;; ms = (ms + 1) % 2000) {
        uint32_t high = ms < MISS_OR(1100, 1000) ? ms : 2000 - ms;
        if (high > 1000)
            high = 1000;
        if (high > 5)
            set(LED, 1);
        until(t + high);
        if (high < 995)
            set(LED, 0);
        after(&t, MS);
    }
}
