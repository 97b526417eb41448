/* The reds count from the press on. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(D2);
    uint32_t since = 0;
    pulled_up(D2);
    output(D3);
    output(D4);
    output(D5);
    set(D3, 1);
    for (;;) {
        if (look(&b) == 1)
            since = now();
        int second = (now() - since) / ((uint32_t)MISS_OR(300, 250) * MS) & 1;
        set(D3, !b.held);
        set(D5, b.held && !second);
        set(D4, b.held && second);
        idle_until(b.held ? sooner(due(&b), now() + 10 * MS) : due(&b));
    }
}
