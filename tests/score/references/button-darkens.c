/* Not as the button is, once it has settled. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(BUTTON);
    set(LED, 1);
    output(LED);
    for (;;) {
        if (look(&b) == 1 || MISS_OR(0, 1))
            set(LED, !b.held);
        idle_until(due(&b));
    }
}
