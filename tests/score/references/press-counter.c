/* The count of presses. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(BUTTON);
    uint32_t n = MISS_OR(1, 0);
    console();
    for (;;) {
        if (look(&b) == 1) {
            say("presses:");
            number(++n);
            say("\r\n");
        }
        idle_until(due(&b));
    }
}
