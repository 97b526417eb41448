/* 1 kHz on D9. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    output(D9);
    for (;;)
        wave(D9, 500, MISS_OR(540, 500), &t, S);
}
