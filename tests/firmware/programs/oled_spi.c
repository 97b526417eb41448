/* The same picture on an OLED display at SPI1, with its reset and its D/C pin. */
#include "pause.h"
#include "oled.h"

#ifndef RESET_US
#define RESET_US 10
#endif

void systick(void) {}

static const line cs = {GPIOB, 6}, dc = {GPIOC, 7}, res = {GPIOA, 9};

static void send(bool data, const uint8_t *from, unsigned count)
{
    set(dc, data);
    set(cs, false);
    while (count--) {
        while (!(SPI1->sr & SPI_TXE))
            ;
        *(volatile uint8_t *)&SPI1->dr = *from++;
    }
#ifndef HASTY
    while (!(SPI1->sr & SPI_TXE))
        ;
    while (SPI1->sr & SPI_BSY)
        ;
    set(cs, true);
#endif
}

int main(void)
{
    static const uint8_t on = 0xAF;

    ports_begin();
    RCC_APB2ENR |= APB2_SPI1;
    dsb();
    output(cs, true);
    output(dc, false);
    output(res, true);
    pause_ms(10);
#ifndef NO_RESET
    set(res, false);
    pause_us(RESET_US);
    set(res, true);
    pause_us(10);
#endif
    pin_function(GPIOA, 5, 5);
    pin_function(GPIOA, 7, 5);
    SPI1->cr1 = SPI_MSTR | SPI_SSM | SPI_SSI | SPI_BR(1);
    SPI1->cr1 |= SPI_SPE;
    send(false, opening, sizeof opening);
    draw();
    send(false, whole, sizeof whole);
    send(true, frame, sizeof frame);
    send(false, &on, 1);
    for (;;)
        wfi();
}
