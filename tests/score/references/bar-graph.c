/* None, one, ... five. */
#include "fw.h"
void program(void)
{
    static const uint8_t pins[] = {D2, D3, D4, D5, D6};
    uint32_t t = now();
    for (int i = 0; i < 5; i++)
        output(pins[i]);
    for (int lit = 0;; lit = (lit + 1) % MISS_OR(5, 6)) {
        for (int i = 0; i < 5; i++)
            set(pins[i], i < lit);
        after(&t, 200 * MS);
    }
}
