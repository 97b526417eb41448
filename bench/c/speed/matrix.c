/* Products of 16 x 16 matrices of integers: loads, multiplications, nested loops. */
#include "speed.h"

VECTORS = {RESET(reset)};

#define SIZE 16
static volatile int32_t a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

void reset(void)
{
    for (int i = 0; i < SIZE; ++i)
        for (int j = 0; j < SIZE; ++j) {
            a[i][j] = i * 7 - j;
            b[i][j] = j * 5 + i;
        }
    for (uint32_t times = TIMES; times; --times)
        for (int i = 0; i < SIZE; ++i)
            for (int j = 0; j < SIZE; ++j) {
                int32_t sum = 0;
                for (int k = 0; k < SIZE; ++k)
                    sum += a[i][k] * b[k][j];
                c[i][j] = sum;
            }
    done();
}
