/* I2C1 on PB8 and PB9 as a master by polling, on the HSI. RM0368 18.3.3. */
#ifndef I2C_H
#define I2C_H

#include "pause.h"

#define STANDARD (CORE_HZ / 200000)            /* 100 kHz */
#define FAST (BIT(15) | (CORE_HZ / 1200000 + 1)) /* below 400 kHz */

static void i2c_begin(uint32_t ccr)
{
    RCC_APB1ENR |= APB1_I2C1;
    dsb();
    GPIOB->otyper |= BIT(8) | BIT(9);
    pin_function(GPIOB, 8, 4);
    pin_function(GPIOB, 9, 4);
    I2C1->cr2 = CORE_HZ / 1000000;
    I2C1->ccr = ccr;
    I2C1->trise = (ccr & BIT(15) ? 300 : 1000) * (CORE_HZ / 1000000) / 1000 + 1;
    I2C1->cr1 = I2C_PE;
}

static void i2c_start(uint32_t byte)
{
    I2C1->cr1 |= I2C_START;
    while (!(I2C1->sr1 & I2C_SB))
        ;
    I2C1->dr = byte;
    while (!(I2C1->sr1 & I2C_ADDR))
        ;
    (void)I2C1->sr2;
}

static void i2c_put(uint8_t byte)
{
    while (!(I2C1->sr1 & I2C_TXE))
        ;
    I2C1->dr = byte;
}

static void i2c_stop(void)
{
    while (!(I2C1->sr1 & I2C_BTF))
        ;
    I2C1->cr1 |= I2C_STOP;
    while (I2C1->sr2 & I2C_BUSY)
        ;
}

__attribute__((unused)) static void i2c_send(uint32_t address, const uint8_t *from, unsigned count)
{
    i2c_start(address << 1);
    while (count--)
        i2c_put(*from++);
    i2c_stop();
}

__attribute__((unused)) static uint8_t i2c_get(uint32_t address)
{
    I2C1->cr1 |= I2C_START;
    while (!(I2C1->sr1 & I2C_SB))
        ;
    I2C1->dr = address << 1 | 1;
    while (!(I2C1->sr1 & I2C_ADDR))
        ;
    I2C1->cr1 &= ~(uint32_t)I2C_ACK;
    (void)I2C1->sr2;
    I2C1->cr1 |= I2C_STOP;
    while (!(I2C1->sr1 & I2C_RXNE))
        ;
    while (I2C1->cr1 & I2C_STOP)
        ;
    return (uint8_t)I2C1->dr;
}

#endif
