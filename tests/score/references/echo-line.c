/* A line at a time. */
#include "fw.h"
void program(void)
{
    char text[MISS_OR(9, 41)];
    console();
    for (;;) {
        get_line(text, sizeof text);
        line(text);
    }
}
