/* A BME280 in forced mode, twice a second, compensated. Bosch BST-BME280-DS002 4.2.3, 5.4. */
#include "bus.h"
#include "console.h"
#include "pause.h"

#ifndef WAIT_MS
#define WAIT_MS 10 /* 9.3 ms at the longest, each value sampled once */
#endif
#ifndef UP_MS
#define UP_MS 3
#endif
#ifndef SPI_MODE
#define SPI_MODE 0u
#endif
#define PART 0x76

static struct {
    uint16_t t1;
    int16_t t2, t3;
    uint16_t p1;
    int16_t p[8];
    uint8_t h1, h3;
    int16_t h2, h4, h5;
    int8_t h6;
} trim;

#ifdef ON_SPI
static const line CS = {GPIOB, 6};

static uint8_t swap(uint8_t byte)
{
    while (!(SPI1->sr & SPI_TXE))
        ;
    SPI1->dr = byte;
    while (!(SPI1->sr & SPI_RXNE))
        ;
    return SPI1->dr;
}

static void select(bool on)
{
    while (SPI1->sr & SPI_BSY)
        ;
    set(CS, !on);
}

static void begin(void)
{
    RCC_APB2ENR |= APB2_SPI1;
    dsb();
    output(CS, true);
    for (unsigned pin = 5; pin < 8; pin++)
        pin_function(GPIOA, pin, 5);
    SPI1->cr1 = SPI_MSTR | SPI_SSM | SPI_SSI | SPI_BR(2) | SPI_MODE;
    SPI1->cr1 |= SPI_SPE;
}

static void put_register(uint8_t at, uint8_t value)
{
    select(true);
    swap(at & 0x7F);
    swap(value);
    select(false);
}

static void get_registers(uint8_t at, uint8_t *to, unsigned count)
{
    select(true);
    swap(at | 0x80);
    while (count--)
        *to++ = swap(0);
    select(false);
}
#else
static void begin(void) { bus_begin(); }
static void put_register(uint8_t at, uint8_t value) { bus_set(PART, at, value); }
static void get_registers(uint8_t at, uint8_t *to, unsigned count)
{
    if (count == 1)
        *to = bus_get(PART, at);
    else
        bus_read(PART, at, to, count);
}
#endif

static uint16_t word(const uint8_t *at) { return at[0] | at[1] << 8; }

static void trimming(void)
{
    uint8_t low[26], high[7];

    get_registers(0x88, low, sizeof low);
    get_registers(0xE1, high, sizeof high);
    trim.t1 = word(low), trim.t2 = word(low + 2), trim.t3 = word(low + 4);
    trim.p1 = word(low + 6);
    for (unsigned n = 0; n < 8; n++)
        trim.p[n] = word(low + 8 + 2 * n);
    trim.h1 = low[25], trim.h2 = word(high), trim.h3 = high[2];
    trim.h4 = (int8_t)high[3] * 16 + (high[4] & 15);
    trim.h5 = (int8_t)high[5] * 16 + (high[4] >> 4);
    trim.h6 = (int8_t)high[6];
}

static int32_t fine(int32_t raw)
{
    int32_t a = (((raw >> 3) - (trim.t1 << 1)) * trim.t2) >> 11, b = (raw >> 4) - trim.t1;

    return a + ((((b * b) >> 12) * trim.t3) >> 14);
}

static uint32_t pascals(int32_t raw, int32_t f)
{
    int64_t a = (int64_t)f - 128000, b, p;

    b = a * a * trim.p[4] + ((a * trim.p[3]) << 17) + ((int64_t)trim.p[2] << 35);
    a = ((a * a * trim.p[1]) >> 8) + ((a * trim.p[0]) << 12);
    a = ((((int64_t)1 << 47) + a) * trim.p1) >> 33;
    p = ((((int64_t)(1048576 - raw) << 31) - b) * 3125) / a;
    a = (trim.p[7] * (p >> 13) * (p >> 13)) >> 25;
    b = (trim.p[6] * p) >> 19;
    p = ((p + a + b) >> 8) + ((int64_t)trim.p[5] << 4);
    return (uint32_t)((p + 128) >> 8);
}

static uint32_t permille(int32_t raw, int32_t f)
{
    int32_t x = f - 76800, y;

    y = (((raw << 14) - (trim.h4 << 20) - trim.h5 * x) + 16384) >> 15;
    x = (((((x * trim.h6) >> 10) * (((x * trim.h3) >> 11) + 32768)) >> 10) + 2097152) * trim.h2 + 8192;
    x = y * (x >> 14);
    x -= ((((x >> 15) * (x >> 15)) >> 7) * trim.h1) >> 4;
    x = x < 0 ? 0 : x > 419430400 ? 419430400 : x;
    return ((uint32_t)(x >> 12) * 10 + 512) / 1024;
}

int main(void)
{
    uint8_t got[8];

    ports_begin();
    console_begin(PART_HZ, 115200);
    pause_ms(UP_MS);
    begin();
    get_registers(0xD0, got, 1);
    if (got[0] != 0x60)
        for (;;)
            wfi();
    trimming();
    for (;;) {
        int32_t f, t;

#ifndef HUMIDITY_LAST
        put_register(0xF2, 1);
#endif
        put_register(0xF4, 1 << 5 | 1 << 2 | 1);
        pause_ms(WAIT_MS);
#ifdef PIECES
        put_register(0xF4, 1 << 5 | 1 << 2 | 3);
        for (unsigned n = 0; n < 8; n += 2) {
            get_registers(0xF7 + n, got + n, 2);
            pause_ms(15);
        }
        put_register(0xF4, 0);
        pause_ms(15);
#else
        get_registers(0xF7, got, 8);
#endif
        f = fine((int32_t)(got[3] << 16 | got[4] << 8 | got[5]) >> 4);
        t = (f * 5 + 128) >> 8;
        put_text(t < 0 ? "t -" : "t ");
        put_number(((t < 0 ? -t : t) + 5) / 10);
        put_text(" p ");
        put_number((pascals((int32_t)(got[0] << 16 | got[1] << 8 | got[2]) >> 4, f) + 50) / 100);
        put_text(" h ");
        put_number((permille(got[6] << 8 | got[7], f) + 5) / 10);
        put_text("\r\n");
        pause_ms(500);
    }
}
