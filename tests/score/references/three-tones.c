/* Three tones in turn. */
#include "fw.h"
static void tone(int pin, uint32_t millihertz, uint32_t ms, uint32_t *t)
{
    uint32_t period = 1000000000u / millihertz;
    wave(pin, period / 2, period - period / 2, t, ms * MS);
}
void program(void)
{
    uint32_t t = now();
    output(D6);
    output(D7);
    output(D8);
    for (;;) {
        tone(D6, 440000, 200, &t);
        tone(D7, MISS_OR(523000, 494000), 500, &t);
        tone(D8, MISS_OR(494000, 523000), 300, &t);
    }
}
