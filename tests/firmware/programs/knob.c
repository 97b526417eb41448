/* A rotary encoder counts up and down on four digits that are lit in turn. */
#include "pause.h"

#ifndef DIGIT_US
#define DIGIT_US 2000
#endif

void systick(void) {}

static const line segments[7] = {{GPIOC, 0}, {GPIOC, 1}, {GPIOC, 2}, {GPIOC, 3},
                                 {GPIOC, 4}, {GPIOC, 5}, {GPIOC, 6}};
static const line digits[4] = {{GPIOB, 0}, {GPIOB, 1}, {GPIOB, 2}, {GPIOB, 12}};
static const line a = {GPIOA, 8}, b = {GPIOA, 9};
static const uint8_t shapes[10] = {0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F};

static unsigned count, before = 3, quarters = 4;

static void look(void)
{
    static const int8_t steps[16] = {0, -1, 1, 0, 1, 0, 0, -1, -1, 0, 0, 1, 0, 1, -1, 0};
    unsigned now = (unsigned)get(a) << 1 | get(b);

    quarters += (unsigned)steps[before << 2 | now];
    before = now;
    if (quarters == 8 || quarters == 0) {
        count += quarters ? 1 : 9999;
        count %= 10000;
        quarters = 4;
    } else if (now == 3) {
        quarters = 4;
    }
}

int main(void)
{
    ports_begin();
    for (int i = 0; i < 7; i++)
        output(segments[i], false);
    for (int i = 0; i < 4; i++)
        output(digits[i], true);
    pulled_up(a);
    pulled_up(b);
    count = 98;
    for (;;) {
        unsigned left = count;

        for (int d = 3; d >= 0; d--, left /= 10) {
            unsigned shape = shapes[left % 10];

#ifndef GHOST
            for (int i = 0; i < 4; i++)
                set(digits[i], true);
#endif
            for (int i = 0; i < 7; i++)
                set(segments[i], shape >> i & 1);
#ifdef GHOST
            pause_us(300);
            for (int i = 0; i < 4; i++)
                set(digits[i], true);
#endif
            set(digits[d], false);
            for (int n = 0; n < 4; n++) {
                look();
                pause_us(DIGIT_US / 4);
            }
        }
    }
}
