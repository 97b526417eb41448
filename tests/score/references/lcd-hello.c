/* The miss: a comma is missing. */
#include "fw.h"

static void nibble(uint32_t bits)
{
    set(D4, bits & 1);
    set(D5, bits >> 1 & 1);
    set(D6, bits >> 2 & 1);
    set(D7, bits >> 3 & 1);
    set(D9, 1);
    until(now() + 3);
    set(D9, 0);
    until(now() + 3);
}
static void send(int text, uint32_t byte)
{
    set(D8, text);
    nibble(byte >> 4);
    nibble(byte & 15);
    until(now() + 60);
}
static void show(const char *text)
{
    while (*text)
        send(1, (uint8_t)*text++);
}
void program(void)
{
    uint32_t start = now(), t = start;
    static const uint16_t wake_us[] = {5000, 200, 200, 100};
    for (int pin = 0; pin < 6; pin++)
        output((const uint8_t[]){D4, D5, D6, D7, D8, D9}[pin]);
    until(start + 50 * MS);
    for (int i = 0; i < 4; i++) {
        nibble(i < 3 ? 3 : 2);
        until(now() + wake_us[i]);
    }
    send(0, 0x28);
    send(0, 0x0C);
    send(0, 0x01);
    until(now() + 3 * MS);
    send(0, 0x06);
    show(MISS_OR("hello world!", "hello, world!"));
    for (uint32_t n = 0;; n++) {
        char digits[2] = {(char)('0' + n % 10), 0};
        send(0, 0xC0);
        show(digits);
        after(&t, S);
    }
}
