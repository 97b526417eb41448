/* Calls, then answers. */
#include "fw.h"
void program(void)
{
    uint32_t t = now() + 300 * MS, n = MISS_OR(1, 0);
    console();
    for (;;) {
        if (heard()) {
            get();
            n++;
            for (int i = 0; i < 3; i++) {
                number(n);
                say(i < 2 ? "," : "\r\n");
            }
        }
        if (n == MISS_OR(1, 0)) {
            if (past(t)) {
                t += 300 * MS;
                line("0,0,0");
            }
            idle_until(t);
        } else
            while (!heard())
                ;
    }
}
