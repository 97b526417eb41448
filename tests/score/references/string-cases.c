/* As it is, up, down. */
#include "fw.h"
void program(void)
{
    const char *text = "Embedded World";
    console();
    line(text);
    for (const char *at = text; *at; at++)
        put(*at >= 'a' && *at <= 'z' ? *at - 32 : *at);
    say("\r\n");
    for (const char *at = text; *at; at++)
        put(*at >= 'A' && *at <= MISS_OR('V', 'Z') ? *at + 32 : *at);
    say("\r\n");
}
