/* H and L. */
#include "fw.h"
void program(void)
{
    console();
    output(LED);
    for (;;) {
        char c = get();
        if (MISS_OR(c & ~32, c) == 'H')
            set(LED, 1);
        if (c == 'L')
            set(LED, 0);
    }
}
