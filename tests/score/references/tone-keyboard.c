/* A period at a time while a key is down. */
#include "fw.h"
void program(void)
{
    pulled_up(D2);
    pulled_up(D3);
    output(D8);
    for (;;) {
        uint32_t t = now();
        if (!level(D2))
            wave(D8, 1136, 1137, &t, 2273);
        else if (!level(D3))
            wave(D8, MISS_OR(970, 956), 956, &t, MISS_OR(1926, 1912));
        else
            idle();
    }
}
