/* Four notes, over and over. */
#include "fw.h"
void program(void)
{
    static const uint16_t notes[] = {262, 294, 330, MISS_OR(352, 349)};
    uint32_t t = now();
    output(D9);
    for (int i = 0;; i = (i + 1) % 4) {
        uint32_t period = S / notes[i];
        wave(D9, period / 2, period - period / 2, &t, 200 * MS);
    }
}
