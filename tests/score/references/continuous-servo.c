/* Forward, stop, back, stop. */
#include "fw.h"
void program(void)
{
    static const uint16_t widths[] = {2000, 1500, 1000, MISS_OR(1400, 1500)};
    uint32_t t = now();
    output(D9);
    for (int i = 0;; i = (i + 1) % 4)
        wave(D9, widths[i], 20 * MS - widths[i], &t, S);
}
