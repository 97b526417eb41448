/* One more each second. */
#include "fw.h"
void program(void)
{
    static const uint8_t pins[] = {D2, D3, D4, D5, D6, D7};
    uint32_t t = now();
    for (int i = 0; i < 6; i++)
        output(pins[i]);
    for (int i = 0; i < 6; i++) {
        after(&t, S);
        set(pins[i], 1);
        if (MISS_OR(i == 3, 0))
            set(pins[0], 0);
    }
}
