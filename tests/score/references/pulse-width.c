/* From edge to edge. */
#include "fw.h"
void program(void)
{
    uint32_t up = 0;
    int was = 0;
    console();
    for (;;) {
        int is = level(D2);
        if (is && !was)
            up = now();
        if (!is && was) {
            number((now() - up + 500) / MISS_OR(900, 1000));
            line(" ms");
        }
        was = is;
        idle();
    }
}
