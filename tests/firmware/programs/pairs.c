/* Two ports of one chip talk over wires: SPI1 with SPI2, I2C1 with I2C2; the slaves by interrupts. */
#include "clock.h"
#include "console.h"

#ifndef SLAVE_MODE
#define SLAVE_MODE MODE
#endif
#ifndef MODE
#define MODE (SPI_CPOL | SPI_CPHA)
#endif

static volatile uint8_t heard[8], spoken = 0x40;
static volatile unsigned count;
static volatile bool over;

void spi2(void)
{
    heard[count++ & 7] = (uint8_t)SPI2->dr;
    SPI2->dr = ++spoken;
    dsb();
}

void i2c2_ev(void)
{
    uint32_t sr1 = I2C2->sr1;

    if (sr1 & I2C_ADDR)
        (void)I2C2->sr2;
    if (sr1 & I2C_STOPF) {
        I2C2->cr1 = I2C2->cr1;
        over = true;
    }
    if (sr1 & I2C_RXNE)
        heard[count++ & 7] = (uint8_t)I2C2->dr;
    else if (sr1 & I2C_TXE && I2C2->sr2 & I2C_TRA)
        I2C2->dr = ++spoken;
    dsb();
}

void i2c2_er(void)
{
    I2C2->sr1 = ~(uint32_t)I2C_AF;
    over = true;
    dsb();
}

static void tell(const char *what, uint32_t got)
{
    uint32_t all = 0;

    for (unsigned n = 0; n < 4; n++)
        all = all << 8 | heard[n];
    put_text(what);
    put_hex(all);
    put(' ');
    put_hex(got);
    put_text("\r\n");
    count = 0;
    over = false;
}

static void over_spi(void)
{
    uint32_t got = 0;

    for (unsigned pin = 5; pin <= 7; pin++)
        pin_function(GPIOA, pin, 5);
    for (unsigned pin = 13; pin <= 15; pin++)
        pin_function(GPIOB, pin, 5);
    SPI2->cr2 = SPI_RXNEIE;
    SPI2->cr1 = SPI_SSM | SLAVE_MODE;
    SPI2->cr1 |= SPI_SPE;
    SPI2->dr = spoken;
    irq_enable(SPI2_IRQ);
    SPI1->cr1 = SPI_MSTR | SPI_SSM | SPI_SSI | SPI_BR(5) | MODE;
    SPI1->cr1 |= SPI_SPE;
    for (unsigned n = 0; n < 4; n++) {
        SPI1->dr = 0xC1 + n;
        while (!(SPI1->sr & SPI_RXNE))
            ;
        got = got << 8 | (SPI1->dr & 0xFF);
        while (count != n + 1)
            ;
    }
    tell("spi ", got);
}

static void start(uint32_t byte)
{
    I2C1->cr1 |= I2C_START;
    while (!(I2C1->sr1 & I2C_SB))
        ;
    I2C1->dr = byte;
    while (!(I2C1->sr1 & I2C_ADDR))
        ;
}

static void over_i2c(void)
{
    uint32_t got = 0;

    GPIOB->otyper |= BIT(8) | BIT(9) | BIT(10) | BIT(3);
    pin_function(GPIOB, 8, 4);
    pin_function(GPIOB, 9, 4);
    pin_function(GPIOB, 10, 4);
    pin_function(GPIOB, 3, 9);
    for (i2c *port = I2C1; port; port = port == I2C1 ? I2C2 : 0) {
        port->cr2 = 42;
        port->ccr = BIT(15) | 35; /* 42 MHz / (3 * 400 kHz) */
        port->trise = 13;
    }
    I2C2->oar1 = BIT(14) | 0x2A << 1;
    I2C2->cr2 |= I2C_ITEVTEN | I2C_ITBUFEN | I2C_ITERREN;
    I2C2->cr1 = I2C_PE;
    I2C2->cr1 |= I2C_ACK;
    I2C1->cr1 = I2C_PE;
    irq_enable(I2C2_EV_IRQ);
    irq_enable(I2C2_ER_IRQ);
    start(0x2A << 1);
    (void)I2C1->sr2;
    for (unsigned n = 0; n < 4; n++) {
        while (!(I2C1->sr1 & I2C_TXE))
            ;
        I2C1->dr = 0xD1 + n;
    }
    while (!(I2C1->sr1 & I2C_BTF))
        ;
    I2C1->cr1 |= I2C_STOP;
    while (!over)
        ;
    tell("i2c ", 0);
    I2C1->cr1 |= I2C_ACK;
    start(0x2A << 1 | 1);
    (void)I2C1->sr2;
    while (!(I2C1->sr1 & I2C_RXNE))
        ;
    got = I2C1->dr;
    while (!(I2C1->sr1 & I2C_BTF))
        ;
    I2C1->cr1 &= ~(uint32_t)I2C_ACK;
    got = got << 8 | I2C1->dr;
    I2C1->cr1 |= I2C_STOP;
    got = got << 8 | I2C1->dr;
    while (!(I2C1->sr1 & I2C_RXNE))
        ;
    got = got << 8 | I2C1->dr;
    while (!over)
        ;
    tell("i2c ", got);
}

int main(void)
{
    clock_84_mhz(false);
    console_begin(PCLK1, 115200);
    RCC_AHB1ENR |= AHB1_GPIOB;
    RCC_APB1ENR |= APB1_SPI2 | APB1_I2C1 | APB1_I2C2;
    RCC_APB2ENR |= APB2_SPI1;
    dsb();
    over_spi();
    spoken = 0x70;
    over_i2c();
    for (;;)
        wfi();
}
