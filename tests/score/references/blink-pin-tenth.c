/* D4 changes every 100 ms. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    output(D4);
    for (int on = 1;; on = !on) {
        set(D4, on);
        after(&t, MISS_OR(103, 100) * MS);
    }
}
