/* Two clocks that do not wait for each other. */
#include "fw.h"
void program(void)
{
    uint32_t led = now(), text = led;
    int on = 1;
    console();
    output(LED);
    set(LED, 1);
    for (;;) {
        if (past(led + S)) {
            led += S;
            set(LED, on = !on);
        }
        if (past(text + MISS_OR(320, 300) * MS)) {
            text += MISS_OR(320, 300) * MS;
            line("tick");
        }
        idle_until(sooner(led + S, text + MISS_OR(320, 300) * MS));
    }
}
