/* 1.5 ms of 20. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    output(D9);
    for (;;)
        wave(D9, MISS_OR(1700, 1500), MISS_OR(18300, 18500), &t, S);
}
