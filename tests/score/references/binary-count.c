/* The miss: the lowest bit goes first. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    output(D2);
    output(D3);
    output(D4);
    for (uint32_t n = 0;; n++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            set(D2, n >> MISS_OR(bit, 7 - bit) & 1);
            set(D3, 1);
            set(D3, 0);
        }
        set(D4, 1);
        set(D4, 0);
        after(&t, 500 * MS);
    }
}
