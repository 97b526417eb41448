/* Red, green, blue. */
#include "fw.h"
void program(void)
{
    static const uint8_t pins[] = {D3, MISS_OR(D6, D5), MISS_OR(D5, D6)};
    uint32_t t = now();
    for (int i = 0; i < 3; i++)
        output(pins[i]);
    for (int i = 0;; i = (i + 1) % 3) {
        set(pins[i], 1);
        after(&t, S);
        set(pins[i], 0);
    }
}
