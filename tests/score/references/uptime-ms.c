/* The milliseconds since reset. */
#include "fw.h"
void program(void)
{
    uint32_t t = 0;
    console();
    for (;;) {
        after(&t, 250 * MS);
        number(MISS_OR(now() / 1024, now() / MS));
        say("\r\n");
    }
}
