/* Spaces at both ends do not count. */
#include "fw.h"
void program(void)
{
    char text[41];
    console();
    for (;;) {
        uint32_t n = get_line(text, sizeof text), first = 0, last = n;
        while (first < last && text[first] == ' ')
            first++;
        while (MISS_OR(0, 1) && last > first && text[last - 1] == ' ')
            last--;
        say("length ");
        number(n);
        say(", trimmed ");
        number(last - first);
        say("\r\n");
    }
}
