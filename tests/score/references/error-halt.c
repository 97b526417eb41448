/* Two clocks until the error. */
#include "fw.h"
void program(void)
{
    uint32_t led = now(), text = led;
    int on = 1;
    console();
    output(LED);
    set(LED, 1);
    for (;;) {
        if (heard() && get() == 'e')
            break;
        if (past(led + S / 4)) {
            led += S / 4;
            set(LED, on = !on);
        }
        if (past(text + S)) {
            text += S;
            line("working");
        }
        idle_until(sooner(led + S / 4, text + S));
    }
    set(LED, MISS_OR(0, 1));
    line("fatal error");
}
