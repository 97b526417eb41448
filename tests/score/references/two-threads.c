/* Turn by turn. */
#include "fw.h"
void program(void)
{
    uint32_t t = now();
    console();
    for (int a = 1;; a = !a) {
        line(a ? "thread_a: Hello World" : "thread_b: Hello World");
        after(&t, MISS_OR(a ? 400 : 600, 500) * MS);
    }
}
