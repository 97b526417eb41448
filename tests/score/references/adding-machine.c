/* Two numbers and their sum. */
#include "fw.h"
void program(void)
{
    char text[24];
    console();
    for (;;) {
        uint32_t a, b;
        get_line(text, sizeof text);
        read_number(read_number(text, &a) + 1, &b);
        number(a);
        say(" + ");
        number(b);
        say(" = ");
        number(MISS_OR(a | b, a + b));
        say("\r\n");
    }
}
