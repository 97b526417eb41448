/* As the button is, once it has settled. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(BUTTON);
    output(LED);
    for (;;) {
        if (look(&b)) {
            until(now() + MISS_OR(60, 0) * MS);
            set(LED, b.held);
        }
        idle_until(due(&b));
    }
}
