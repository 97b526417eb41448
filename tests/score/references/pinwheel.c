/* As the switch is. */
#include "fw.h"
void program(void)
{
    output(D9);
    for (;;) {
        set(D9, level(D2) == MISS_OR(0, 1));
        idle();
    }
}
