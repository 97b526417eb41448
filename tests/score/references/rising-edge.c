/* EXTI would do it, too: a look every half millisecond is enough. */
#include "fw.h"
void program(void)
{
    int was = 0;
    console();
    mode(D3, 0);
    for (;;) {
        int is = level(D3);
        if (is != was && is == MISS_OR(0, 1))
            line("edge");
        was = is;
        idle();
    }
}
