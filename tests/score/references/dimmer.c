/* A period at a time. */
#include "fw.h"
void program(void)
{
    uint32_t tenths = 0;
    console();
    output(D9);
    for (;;) {
        uint32_t t = now();
        if (heard()) {
            char c = get();
            if (is_digit(c))
                tenths = (uint32_t)(c - '0');
        }
        if (tenths)
            wave(D9, tenths * MISS_OR(97, 100), MS - tenths * MISS_OR(97, 100), &t, MS);
        else
            idle();
    }
}
