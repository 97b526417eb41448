/* The miss: inches that are called centimetres. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    console();
    output(D4);
    mode(D8, 0);
    for (;;) {
        uint32_t rose;
        set(D4, 1);
        until(now() + 12);
        set(D4, 0);
        while (!level(D8))
            ;
        rose = now();
        while (level(D8))
            ;
        number((now() - rose + 29) / MISS_OR(148u, 58u));
        line(" cm");
        after(&t, 200 * MS);
    }
}
