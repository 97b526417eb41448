/* Two lights by the clock. */
#include "fw.h"
void program(void)
{
    uint32_t quick = now(), slow = quick;
    int led = 1, other = 1;
    console();
    output(LED);
    output(D7);
    set(LED, 1);
    set(D7, 1);
    line("toggled");
    for (;;) {
        if (past(quick + 100 * MS)) {
            quick += 100 * MS;
            set(LED, led = !led);
        }
        if (past(slow + S)) {
            slow += S;
            set(D7, other = !other);
            if (MISS_OR(other, 1))
                line("toggled");
        }
        idle_until(sooner(quick + 100 * MS, slow + S));
    }
}
