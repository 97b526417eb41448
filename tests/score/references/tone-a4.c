/* 440 Hz on D8. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    output(D8);
    for (;;)
        wave(D8, 1136, MISS_OR(1160, 1137), &t, 10 * S);
}
