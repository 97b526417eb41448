/* Bits of each colour: red, green, blue. */
#include "fw.h"
void program(void)
{
    static const uint8_t colours[] = {1, 3, 2, MISS_OR(7, 6), 4, 5};
    uint32_t t = now();
    output(D3);
    output(D5);
    output(D6);
    for (int i = 0;; i = (i + 1) % 6) {
        set(D3, colours[i] & 1);
        set(D5, colours[i] & 2);
        set(D6, colours[i] & 4);
        after(&t, 500 * MS);
    }
}
