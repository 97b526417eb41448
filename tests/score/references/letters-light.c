/* A letter, a light. */
#include "fw.h"
void program(void)
{
    static const uint8_t pins[] = {D2, D3, D4, MISS_OR(D6, D5), MISS_OR(D5, D6)};
    console();
    for (int i = 0; i < 5; i++)
        output(pins[i]);
    for (;;) {
        char c = get();
        if (c >= 'a' && c <= 'e')
            set(pins[c - 'a'], 1);
        else
            for (int i = 0; i < 5; i++)
                set(pins[i], 0);
    }
}
