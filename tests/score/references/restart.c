/* SYSRESETREQ (Arm ARM B3.2.6). */
#include "fw.h"
void program(void)
{
    console();
    line("boot");
    for (;;) {
        char c = get();
        if (c == 'r' || MISS_OR(c == 'x', 0)) {
            SCB->aircr = 0x05FA0004;
            dsb();
        }
    }
}
