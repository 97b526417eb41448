/* Two ends of a servo. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    output(D9);
    for (;;) {
        wave(D9, MS, 19 * MS, &t, S);
        wave(D9, MISS_OR(1900, 2 * MS), MISS_OR(18100, 18 * MS), &t, S);
    }
}
