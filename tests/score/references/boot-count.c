/* The miss: it writes back what it read. */
#include "i2c.h"
void program(void)
{
    uint32_t n;
    console();
    i2c_begin();
    i2c_call(0x50, 0);
    (void)I2C1->sr2;
    i2c_put(0);
    i2c_call(0x50, 1);
    n = i2c_last();
    while (I2C1->cr1 & I2C_STOP)
        ;
    say("boot ");
    number(n);
    line("");
    i2c_call(0x50, 0);
    (void)I2C1->sr2;
    i2c_put(0);
    i2c_put(MISS_OR(n, n + 1));
    i2c_stop();
    for (;;)
        until(now() + S);
}
