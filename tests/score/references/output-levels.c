/* D7 high, D8 low. */
#include "fw.h"
void program(void)
{
    set(D7, 1);
    set(D8, MISS_OR(1, 0));
    output(D7);
    output(D8);
}
