/* The LED, and what it is. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    console();
    output(LED);
    for (int on = 1;; on = !on) {
        set(LED, on);
        line(on == MISS_OR(0, 1) ? "LED state: ON" : "LED state: OFF");
        after(&t, S);
    }
}
