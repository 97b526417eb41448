/* Letters only. */
#include "fw.h"
void program(void)
{
    char text[41];
    console();
    for (;;) {
        get_line(text, sizeof text);
        for (char *at = text; *at; at++)
            if (*at >= 'a' && *at <= MISS_OR('}', 'z'))
                *at -= 32;
        line(text);
    }
}
