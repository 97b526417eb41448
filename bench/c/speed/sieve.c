/* The primes below 8192: bytes in RAM, inner loops of every stride. */
#include "speed.h"

VECTORS = {RESET(reset)};

#define SIZE 8192u
static uint8_t composite[SIZE];
static volatile uint32_t primes;

void reset(void)
{
    for (uint32_t times = TIMES; times; --times) {
        uint32_t count = 0;
        for (uint32_t n = 0; n < SIZE; ++n)
            composite[n] = 0;
        for (uint32_t n = 2; n < SIZE; ++n)
            if (!composite[n]) {
                ++count;
                for (uint32_t m = n + n; m < SIZE; m += n)
                    composite[m] = 1;
            }
        primes = count;
    }
    done();
}
