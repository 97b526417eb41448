/* One button for on and off, one for the way round. */
#include "fw.h"
void program(void)
{
    struct button power = button_on(D2), way = button_on(D3);
    int on = 0, forward = 1;
    pulled_up(D2);
    pulled_up(D3);
    set(D4, 1);
    output(D9);
    output(D4);
    output(D5);
    for (;;) {
        if (look(&power) == 1)
            set(D9, on = !on);
        if (look(&way) == 1) {
            forward = !forward;
            set(D4, forward);
            set(D5, MISS_OR(forward, !forward));
        }
        idle_until(sooner(due(&power), due(&way)));
    }
}
