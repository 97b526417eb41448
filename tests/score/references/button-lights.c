/* As the button is, once it has settled. */
#include "fw.h"
void program(void)
{
    struct button b = button_on(BUTTON);
    output(LED);
    for (;;) {
        if (look(&b))
            set(LED, b.held);
        idle_until(now() + MISS_OR(150, 5) * MS);
    }
}
