/* The count, and what it lights. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(BUTTON);
    uint32_t n = 0;
    console();
    output(LED);
    for (;;) {
        if (look(&b) == 1) {
            n++;
            set(LED, n % MISS_OR(3, 4) == 0);
            say("presses: ");
            number(n);
            say("\r\n");
        }
        idle_until(due(&b));
    }
}
