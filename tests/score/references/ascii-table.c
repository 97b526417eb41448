/* A letter, its code twice. */
#include "fw.h"
void program(void)
{
    console();
    for (char c = 'A'; c <= 'F'; c++) {
        put(c);
        say(", dec: ");
        number((uint32_t)c);
        say(", hex: ");
        hex2((uint32_t)c + MISS_OR(c == 'F', 0));
        say("\r\n");
    }
}
