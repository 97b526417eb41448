/* The miss: from address 9 on. */
#include "i2c.h"
void program(void)
{
    uint32_t found = 0;
    console();
    i2c_begin();
    for (uint32_t address = MISS_OR(9, 8); address < 120; address++)
        if (i2c_call(address, 0)) {
            (void)I2C1->sr2;
            i2c_stop();
            number(address);
            line("");
            found++;
        }
    say("done: ");
    number(found);
    line(" found");
    for (;;)
        until(now() + S);
}
