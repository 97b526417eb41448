/* I2C1 as a master at 100 kHz, on D15 (SCL) and D14 (SDA). */
#ifndef I2C_H
#define I2C_H

#include "fw.h"

struct i2c {
    volatile uint32_t cr1, cr2, oar1, oar2, dr, sr1, sr2, ccr, trise;
};
#define I2C1 ((struct i2c *)0x40005400)
#define I2C_PE 1u
#define I2C_START (1u << 8)
#define I2C_STOP (1u << 9)
#define I2C_ACK (1u << 10)
#define I2C_SB 1u
#define I2C_ADDR 2u
#define I2C_BTF 4u
#define I2C_RXNE (1u << 6)
#define I2C_AF (1u << 10)

static inline void open_drain(int pin, uint32_t af)
{
    struct gpio *p = port_of(pin);
    uint32_t n = pin & 15;
    p->otyper |= 1u << n;
    p->afrh |= af << 4 * (n - 8);
    mode(pin, 2);
}
static inline void i2c_begin(void)
{
    RCC->apb1enr |= 1u << 21;
    dsb();
    open_drain(PIN(1, 8), 4);
    open_drain(PIN(1, 9), 4);
    I2C1->cr2 = CLK / S;
    I2C1->ccr = CLK / 200000u;
    I2C1->trise = CLK / S + 1;
    I2C1->cr1 = I2C_PE;
}
static inline void i2c_stop(void)
{
    I2C1->cr1 |= I2C_STOP;
    while (I2C1->cr1 & I2C_STOP || I2C1->sr2 & 2)
        ;
}
/* START and an address; 0 when nobody answers, and then the bus is free again. */
static inline int i2c_call(uint32_t address, uint32_t reads)
{
    I2C1->cr1 |= I2C_START;
    while (!(I2C1->sr1 & I2C_SB))
        ;
    I2C1->dr = address << 1 | reads;
    for (;;) {
        uint32_t sr = I2C1->sr1;
        if (sr & I2C_ADDR)
            return 1;
        if (sr & I2C_AF) {
            I2C1->sr1 = ~I2C_AF;
            i2c_stop();
            return 0;
        }
    }
}
static inline void i2c_put(uint32_t byte)
{
    I2C1->dr = byte;
    while (!(I2C1->sr1 & I2C_BTF))
        ;
}
/* One byte, after i2c_call(address, 1): neither ACK nor more. */
static inline uint32_t i2c_last(void)
{
    I2C1->cr1 &= ~I2C_ACK;
    (void)I2C1->sr2;
    I2C1->cr1 |= I2C_STOP;
    while (!(I2C1->sr1 & I2C_RXNE))
        ;
    return I2C1->dr;
}
#endif
