/* The clock at the first touch. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(BUTTON);
    console();
    output(LED);
    for (;;) {
        int event = look(&b);
        if (event)
            set(LED, event == 1);
        if (event == 1) {
            say("Button pressed at ");
            number(MISS_OR(now() / S, now() / MS));
            say("\r\n");
        }
        idle_until(due(&b));
    }
}
