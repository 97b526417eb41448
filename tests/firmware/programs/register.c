/* A digit and a point behind a shift register: 0 to 9, the point on with each odd one. */
#include "pause.h"

#ifndef STEP_US
#define STEP_US 20000
#endif

void systick(void) {}

static const line data = {GPIOA, 10}, clock = {GPIOB, 3}, latch = {GPIOB, 5};
static const uint8_t shapes[10] = {0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F};

static void shift(unsigned value)
{
#ifdef LOWEST_FIRST
    for (int n = 0; n < 8; n++) {
#else
    for (int n = 7; n >= 0; n--) {
#endif
        set(data, value >> n & 1);
        pause_us(1);
        set(clock, true);
        pause_us(1);
        set(clock, false);
        pause_us(1);
#ifdef ALWAYS
        set(latch, true);
        pause_us(STEP_US);
        set(latch, false);
#endif
    }
    set(latch, true);
    pause_us(1);
    set(latch, false);
}

int main(void)
{
    ports_begin();
    output(data, false);
    output(clock, false);
    output(latch, false);
    for (unsigned n = 0;; n = (n + 1) % 10) {
        shift(shapes[n] | (n & 1) << 7);
        pause_ms(250);
    }
}
