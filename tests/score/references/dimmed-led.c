/* 500 Hz, a quarter of it on. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    output(LED);
    for (;;)
        wave(LED, MISS_OR(600, 500), MISS_OR(1400, 1500), &t, S);
}
