/* The level, said as it changes. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(D2);
    console();
    pulled_up(D2);
    output(LED);
    for (;;) {
        if (look(&b)) {
            set(LED, b.held);
            line(b.held == MISS_OR(1, 0) ? "1" : "0");
        }
        idle_until(due(&b));
    }
}
