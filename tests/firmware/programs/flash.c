/* A serial flash on SPI1: its identity by polling, a sector erased, a page written and read by DMA. */
#include "clock.h"
#include "console.h"

#ifndef MODE
#define MODE 0u
#endif
#ifndef FUNCTION
#define FUNCTION 5u
#endif

static uint8_t page[64], got[64];

static void select(bool on) { GPIOB->bsrr = on ? BIT(6 + 16) : BIT(6); }

static uint8_t exchange(uint8_t byte)
{
    while (!(SPI1->sr & SPI_TXE))
        ;
    SPI1->dr = byte;
    while (!(SPI1->sr & SPI_RXNE))
        ;
    return (uint8_t)SPI1->dr;
}

static void deselect(void)
{
#ifndef HASTY
    while (SPI1->sr & SPI_BSY)
        ;
#endif
    select(false);
}

static void command(uint8_t instruction, uint32_t at)
{
    select(true);
    exchange(instruction);
    for (int shift = 16; shift >= 0; shift -= 8)
        exchange((uint8_t)(at >> shift));
}

static void enable(void)
{
#ifndef NO_ENABLE
    select(true);
#ifdef HASTY
    SPI1->dr = 0x06;
#else
    exchange(0x06);
#endif
    deselect();
#endif
}

static void wait(void)
{
#ifndef NO_WAIT
    select(true);
    exchange(0x05);
    while (exchange(0) & 1)
        ;
    deselect();
#endif
}

/* Both ways at once: stream 3 of DMA2 gives, stream 2 takes, both on channel 3. */
static void move(const uint8_t *from, uint8_t *to, unsigned count)
{
    static uint8_t nothing;

    DMA2->lifcr = DMA_FLAGS << 16 | DMA_FLAGS << 22;
    DMA2->stream[2].par = DMA2->stream[3].par = (uint32_t)&SPI1->dr;
    DMA2->stream[2].ndtr = DMA2->stream[3].ndtr = count;
    DMA2->stream[2].m0ar = (uint32_t)(to ? to : &nothing);
    DMA2->stream[3].m0ar = (uint32_t)(from ? from : &nothing);
    DMA2->stream[2].cr = DMA_CHANNEL(3) | (to ? DMA_MINC : 0);
    DMA2->stream[3].cr = DMA_CHANNEL(3) | DMA_TO_PERIPHERAL | (from ? DMA_MINC : 0);
    DMA2->stream[2].cr |= DMA_EN;
    DMA2->stream[3].cr |= DMA_EN;
    SPI1->cr2 = SPI_RXDMAEN | SPI_TXDMAEN;
    while (!(DMA2->lisr & DMA_TCIF << 16))
        ;
    SPI1->cr2 = 0;
}

int main(void)
{
    uint32_t id = 0;
    bool same = true;

    clock_84_mhz(false);
    console_begin(PCLK1, 115200);
    RCC_AHB1ENR |= AHB1_GPIOB | AHB1_DMA2;
    RCC_APB2ENR |= APB2_SPI1;
    dsb();
    select(false);
    pin_mode(GPIOB, 6, OUTPUT);
    for (unsigned pin = 5; pin <= 7; pin++)
        pin_function(GPIOA, pin, pin == 6 ? FUNCTION : 5);
    SPI1->cr1 = SPI_MSTR | SPI_SSM | SPI_SSI | SPI_BR(6) | MODE; /* 84 MHz / 128 */
    SPI1->cr1 |= SPI_SPE;

    select(true);
    exchange(0x9F);
    for (int n = 0; n < 3; n++)
        id = id << 8 | exchange(0);
    deselect();
    put_text("id ");
    put_hex(id);
    put_text("\r\n");

    for (unsigned n = 0; n < sizeof page; n++)
        page[n] = (uint8_t)(3 * n + 1);
    enable();
    command(0x20, 0x1000);
    deselect();
    wait();
    enable();
    command(0x02, 0x1040);
    move(page, 0, sizeof page);
    deselect();
    wait();
    command(0x03, 0x1040);
    move(0, got, sizeof got);
    deselect();
    for (unsigned n = 0; n < sizeof page; n++)
        same &= got[n] == page[n];
    put_text(same ? "same\r\n" : "not the same\r\n");
    for (;;)
        wfi();
}
