/* In the order of the list, and back. */
#include "fw.h"
void program(void)
{
    static const uint8_t order[] = {D2, D7, MISS_OR(D6, D4), MISS_OR(D4, D6), D5, D3, D5,
                                    MISS_OR(D4, D6), MISS_OR(D6, D4), D7};
    uint32_t t = now();
    for (int i = 0; i < 6; i++)
        output(order[i]);
    for (int i = 0;; i = (i + 1) % 10) {
        set(order[i], 1);
        after(&t, 100 * MS);
        set(order[i], 0);
    }
}
