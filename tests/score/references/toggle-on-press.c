/* On, and then by the button. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(BUTTON);
    int on = 1;
    set(LED, 1);
    output(LED);
    for (;;) {
        if (look(&b) == MISS_OR(-1, 1))
            set(LED, on = !on);
        idle_until(due(&b));
    }
}
