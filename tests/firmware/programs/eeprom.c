/* Who is on the bus; what an EEPROM holds after a write: I2C1 by polling, and by DMA. RM0368 18.3.3. */
#include "clock.h"
#include "console.h"

#ifndef FREQ
#define FREQ 42u
#endif
#ifndef CCR
#define CCR 210u /* 42 MHz / (2 * 100 kHz) */
#endif
#ifndef OPEN_DRAIN
#define OPEN_DRAIN 1u
#endif
#ifndef DATA
#define DATA 8
#endif

static uint8_t data[8], got[8];

static void begin(void)
{
    RCC_AHB1ENR |= AHB1_GPIOB | AHB1_DMA1;
    RCC_APB1ENR |= APB1_I2C1;
    dsb();
    GPIOB->otyper |= OPEN_DRAIN << 8 | OPEN_DRAIN << 9;
    pin_function(GPIOB, 8, 4);
    pin_function(GPIOB, 9, 4);
    I2C1->cr2 = FREQ;
    I2C1->ccr = CCR;
    I2C1->trise = FREQ + 1;
    I2C1->cr1 = I2C_PE;
}

static void stop(void)
{
    I2C1->cr1 |= I2C_STOP;
    while (I2C1->sr2 & I2C_BUSY)
        ;
}

static bool address(uint32_t byte)
{
    uint32_t sr1;

    I2C1->cr1 |= I2C_START;
    while (!(I2C1->sr1 & I2C_SB))
        ;
    I2C1->dr = byte;
    while (!((sr1 = I2C1->sr1) & (I2C_ADDR | I2C_AF)))
        ;
    if (sr1 & I2C_AF) {
        I2C1->sr1 = ~(uint32_t)I2C_AF;
        stop();
        return false;
    }
    return true;
}

static void out(uint8_t byte)
{
    while (!(I2C1->sr1 & I2C_TXE))
        ;
    I2C1->dr = byte;
}

static void write(uint8_t at, const uint8_t *from, unsigned count)
{
    while (!address(0xA0))
        ;
    (void)I2C1->sr2;
    out(0);
    out(at);
    while (count--)
        out(*from++);
    while (!(I2C1->sr1 & I2C_BTF))
        ;
}

static void read(uint8_t at, unsigned count)
{
    uint8_t *to = got;

#ifndef NO_POLL
    write(at, 0, 0);
#else
    address(0xA0); /* while the memory is still busy */
    (void)I2C1->sr2;
    out(0);
    out(at);
    while (!(I2C1->sr1 & I2C_BTF))
        ;
#endif
    I2C1->cr1 |= I2C_ACK | (count == 2 ? I2C_POS : 0);
    address(0xA1);
    if (count == 1)
        I2C1->cr1 &= ~(uint32_t)I2C_ACK;
    (void)I2C1->sr2;
    if (count == 1) {
        I2C1->cr1 |= I2C_STOP;
    } else if (count == 2) {
        I2C1->cr1 &= ~(uint32_t)I2C_ACK;
        while (!(I2C1->sr1 & I2C_BTF))
            ;
        I2C1->cr1 |= I2C_STOP;
        *to++ = I2C1->dr;
    } else {
        while (count-- > 3) {
            while (!(I2C1->sr1 & I2C_RXNE))
                ;
            *to++ = I2C1->dr;
        }
        while (!(I2C1->sr1 & I2C_BTF))
            ;
        I2C1->cr1 &= ~(uint32_t)I2C_ACK;
        *to++ = I2C1->dr;
        I2C1->cr1 |= I2C_STOP;
        *to++ = I2C1->dr;
    }
    while (!(I2C1->sr1 & I2C_RXNE))
        ;
    *to = I2C1->dr;
    while (I2C1->sr2 & I2C_BUSY)
        ;
    I2C1->cr1 &= ~(uint32_t)I2C_POS; /* not before STOP went out */
}

/* Eight bytes by DMA1 stream 0, channel 1; LAST makes the port refuse the last one. */
static void read_by_dma(uint8_t at)
{
    write(at, 0, 0);
    DMA1->stream[0].par = (uint32_t)&I2C1->dr;
    DMA1->stream[0].m0ar = (uint32_t)got;
    DMA1->stream[0].ndtr = sizeof got;
    DMA1->stream[0].cr = DMA_CHANNEL(1) | DMA_MINC;
    DMA1->stream[0].cr |= DMA_EN;
    I2C1->cr2 |= I2C_DMAEN | I2C_LAST;
    I2C1->cr1 |= I2C_ACK;
    address(0xA1);
    (void)I2C1->sr2;
    while (!(DMA1->lisr & DMA_TCIF))
        ;
    DMA1->lifcr = DMA_FLAGS;
    I2C1->cr2 &= ~(uint32_t)(I2C_DMAEN | I2C_LAST);
    stop();
}

static void tell(const char *what, unsigned count)
{
    put_text(what);
    for (unsigned n = 0; n < count; n++)
        put_hex(got[n]), got[n] = 0;
    put_text("\r\n");
}

int main(void)
{
    clock_84_mhz(false);
    console_begin(PCLK1, 115200);
    begin();
    for (unsigned n = 8; n < 0x78; n++)
        if (address(n << 1)) {
            (void)I2C1->sr2;
            stop();
            put_text("found ");
            put_number(n);
            put_text("\r\n");
        }
    for (unsigned n = 0; n < sizeof data; n++)
        data[n] = 0xA1 + n;
    write(0x20, data, sizeof data);
    stop();
    read(0x20, 1);
    tell("one ", 1);
    read(0x21, 2);
    tell("two ", 2);
    read(0x23, 5);
    tell("five ", 5);
    read_by_dma(0x20);
    tell("dma ", 8);
    for (;;)
        wfi();
}
