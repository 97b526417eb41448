/* A button on an expander, told of by its INT, toggles an LED on the same expander. */
#include "i2c.h"

enum { EXPANDER = 0x20, LED = 0x80, BUTTON = 0x01 };

void systick(void) {}

static const line told = {GPIOA, 8};

int main(void)
{
    uint8_t out = LED | BUTTON, was = BUTTON;

    ports_begin();
    pulled_up(told);
    i2c_begin(STANDARD);
#ifdef DRIVES_IT
    out &= (uint8_t)~BUTTON;
#endif
    i2c_send(EXPANDER, &out, 1);
    for (;;) {
        uint8_t now;

#ifndef NEVER_LOOKS
        if (get(told))
            continue;
#endif
#ifndef NAIVE
        pause_ms(5);
#endif
        now = i2c_get(EXPANDER) & BUTTON;
        if (was && !now) {
            out ^= LED;
            i2c_send(EXPANDER, &out, 1);
        }
        was = now;
    }
}
