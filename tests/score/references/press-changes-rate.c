/* Three modes in turn. */
#include "fw.h"
void program(void)
{
    static const uint16_t halves_ms[] = {0, 250, MISS_OR(60, 50)};
    struct button b = button_on(BUTTON);
    uint32_t next = 0, modes = 0;
    int on = 0;
    output(LED);
    for (;;) {
        if (look(&b) == 1) {
            modes = (modes + 1) % 3;
            next = now();
            on = 0;
            set(LED, 0);
        }
        uint32_t half = halves_ms[modes] * MS;
        if (half && past(next)) {
            set(LED, on = !on);
            next += half;
        }
        idle_until(half ? sooner(next, due(&b)) : due(&b));
    }
}
