/* Digits, and twice them. */
#include "fw.h"
void program(void)
{
    char text[12];
    uint32_t n;
    console();
    for (;;) {
        get_line(text, sizeof text);
        read_number(text, &n);
        say("value ");
        number(n);
        say(", doubled ");
        number(MISS_OR(2 * n & 0xFFFF, 2 * n));
        say("\r\n");
    }
}
