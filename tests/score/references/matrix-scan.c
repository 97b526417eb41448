/* One row high, one column low. */
#include "fw.h"
void program(void)
{
    static const uint8_t rows[] = {D2, D3, D4}, columns[] = {D5, MISS_OR(D7, D6), MISS_OR(D6, D7)};
    uint32_t t = now();
    for (int i = 0; i < 3; i++) {
        set(columns[i], 1);
        output(columns[i]);
        output(rows[i]);
    }
    for (int i = 0;; i = (i + 1) % 3) {
        set(rows[i], 1);
        set(columns[i], 0);
        after(&t, 5 * MS);
        set(rows[i], 0);
        set(columns[i], 1);
    }
}
