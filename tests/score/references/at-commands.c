/* Four commands. */
#include "fw.h"
void program(void)
{
    char text[16];
    int on = 0;
    console();
    output(LED);
    for (;;) {
        get_line(text, sizeof text);
        if (same(text, "AT+LED?")) {
            line(on ? "LED: 1" : "LED: 0");
            continue;
        }
        if (same(text, "AT+LED=1"))
            on = 1;
        else if (same(text, "AT+LED=0"))
            on = 0;
        else if (!same(text, "AT")) {
            line("ERROR");
            on = MISS_OR(0, on);
            set(LED, on);
            continue;
        }
        set(LED, on);
        line("OK");
    }
}
