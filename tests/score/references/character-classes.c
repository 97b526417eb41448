/* Four classes. */
#include "fw.h"
void program(void)
{
    console();
    for (;;) {
        char c = get(), low = c | 32;
        if (low >= MISS_OR('`', 'a') && low <= 'z')
            line("letter");
        else if (is_digit(c))
            line("digit");
        else
            line(c == ' ' ? "space" : "other");
    }
}
