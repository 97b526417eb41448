/* The keys of a keypad appear on a character display. */
#include "pause.h"

#ifndef AFTER_CLEAR
#define AFTER_CLEAR 2000
#endif
#ifndef AFTER_BYTE
#define AFTER_BYTE 50
#endif
#ifndef POWER_UP
#define POWER_UP 50
#endif

void systick(void) {}

static const line rs = {GPIOA, 9}, e = {GPIOC, 7};
static const line data[4] = {{GPIOB, 5}, {GPIOB, 4}, {GPIOB, 10}, {GPIOA, 8}};
static const line rows[4] = {{GPIOC, 0}, {GPIOC, 1}, {GPIOC, 2}, {GPIOC, 3}};
static const line columns[4] = {{GPIOB, 0}, {GPIOB, 1}, {GPIOB, 2}, {GPIOB, 12}};

static void nibble(bool is_data, unsigned value)
{
    set(rs, is_data);
    for (int i = 0; i < 4; i++)
        set(data[i], value >> i & 1);
    pause_us(1);
    set(e, true);
    pause_us(1);
    set(e, false);
    pause_us(1);
}

static void byte(bool is_data, unsigned value)
{
    nibble(is_data, value >> 4);
    nibble(is_data, value & 15);
    pause_us(AFTER_BYTE);
}

static void text(const char *t)
{
    while (*t)
        byte(true, (uint8_t)*t++);
}

static char scan(void)
{
    for (int r = 0; r < 4; r++) {
        output(rows[r], false);
        pause_us(20);
        for (int c = 0; c < 4; c++)
            if (!get(columns[c])) {
                pulled_up(rows[r]);
                return "123A456B789C*0#D"[4 * r + c];
            }
        pulled_up(rows[r]);
    }
    return 0;
}

int main(void)
{
    ports_begin();
    output(rs, false);
    output(e, false);
    for (int i = 0; i < 4; i++) {
        output(data[i], false);
        pulled_up(rows[i]);
        pulled_up(columns[i]);
    }
    pause_ms(POWER_UP);
    nibble(false, 3);
    pause_ms(5);
    nibble(false, 3);
    pause_us(200);
    nibble(false, 3);
    pause_us(50);
    nibble(false, 2);
    pause_us(50);
    byte(false, 0x28);
    byte(false, 0x0C);
    byte(false, 0x01);
    pause_us(AFTER_CLEAR);
    byte(false, 0x06);
    text("Key?");
    byte(false, 0x80 | 0x40);
    for (;;) {
        char key = scan();

        if (key) {
            byte(true, (uint8_t)key);
#ifndef NAIVE
            pause_ms(10); /* the contact chatters */
            while (scan())
                pause_ms(5);
            pause_ms(10);
#else
            while (scan())
                ;
            continue;
#endif
        }
        pause_ms(5);
    }
}
