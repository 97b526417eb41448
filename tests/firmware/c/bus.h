/* A part on I2C1 (PB8, PB9) by polling, at 16 MHz. RM0368 18.3.3. */
#ifndef BUS_H
#define BUS_H

#include "chip.h"

enum { PART_HZ = 16000000 };

__attribute__((unused)) static void bus_begin(void)
{
    RCC_AHB1ENR |= AHB1_GPIOB;
    RCC_APB1ENR |= APB1_I2C1;
    dsb();
    GPIOB->otyper |= BIT(8) | BIT(9);
    pin_function(GPIOB, 8, 4);
    pin_function(GPIOB, 9, 4);
    I2C1->cr2 = PART_HZ / 1000000;
    I2C1->ccr = PART_HZ / 200000; /* 100 kHz */
    I2C1->trise = PART_HZ / 1000000 + 1;
    I2C1->cr1 = I2C_PE;
}

__attribute__((unused)) static void bus_stop(void)
{
    I2C1->cr1 |= I2C_STOP;
    while (I2C1->sr2 & I2C_BUSY)
        ;
}

__attribute__((unused)) static void bus_address(uint32_t byte)
{
    I2C1->cr1 |= I2C_START;
    while (!(I2C1->sr1 & I2C_SB))
        ;
    I2C1->dr = byte;
    while (!(I2C1->sr1 & (I2C_ADDR | I2C_AF)))
        ;
}

__attribute__((unused)) static void bus_out(const uint8_t *from, unsigned count)
{
    (void)I2C1->sr2;
    while (count--) {
        while (!(I2C1->sr1 & I2C_TXE))
            ;
        I2C1->dr = *from++;
    }
    while (!(I2C1->sr1 & I2C_BTF))
        ;
}

__attribute__((unused)) static void bus_write(uint8_t part, const uint8_t *from, unsigned count)
{
    bus_address(part << 1);
    bus_out(from, count);
    bus_stop();
}

__attribute__((unused)) static void bus_set(uint8_t part, uint8_t reg_, uint8_t value)
{
    uint8_t bytes[2] = {reg_, value};

    bus_write(part, bytes, 2);
}

/* Two bytes or more, from a register on. */
__attribute__((unused)) static void bus_read(uint8_t part, uint8_t at, uint8_t *to, unsigned count)
{
    bus_address(part << 1);
    bus_out(&at, 1);
    I2C1->cr1 |= I2C_ACK | (count == 2 ? I2C_POS : 0);
    bus_address(part << 1 | 1);
    (void)I2C1->sr2;
    if (count == 2) {
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
    I2C1->cr1 &= ~(uint32_t)I2C_POS; /* not while STOP has still to come */
}

__attribute__((unused)) static uint8_t bus_get(uint8_t part, uint8_t at)
{
    uint8_t byte;

    bus_address(part << 1);
    bus_out(&at, 1);
    I2C1->cr1 &= ~(uint32_t)I2C_ACK;
    bus_address(part << 1 | 1);
    (void)I2C1->sr2;
    I2C1->cr1 |= I2C_STOP;
    while (!(I2C1->sr1 & I2C_RXNE))
        ;
    byte = I2C1->dr;
    while (I2C1->sr2 & I2C_BUSY)
        ;
    return byte;
}

#endif
