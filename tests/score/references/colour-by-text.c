/* Three numbers, six digits. */
#include "fw.h"
void program(void)
{
    char text[24];
    console();
    for (;;) {
        const char *at = text;
        get_line(text, sizeof text);
        put('#');
        for (int i = 0; i < 3; i++) {
            uint32_t n;
            at = read_number(at, &n);
            at += *at == ',';
            hex2(n > 255 ? MISS_OR(n & 255, 255) : n);
        }
        say("\r\n");
    }
}
