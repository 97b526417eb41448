/* Four notes. */
#include "fw.h"
void program(void)
{
    static const uint16_t notes[] = {262, 250, MISS_OR(208, 196), 125, 220, 125, 262, 250};
    uint32_t t = now();
    output(D8);
    for (int i = 0; i < 8; i += 2) {
        uint32_t period = S / notes[i];
        wave(D8, period / 2, period - period / 2, &t, notes[i + 1] * MS);
    }
}
