/* Reset, the cycle counter, and where the outcome is left: what Embench asks of a board. */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define OUTCOME ((volatile uint32_t *)0x20017000) /* cycles, what main returned, done */

extern uint32_t data_begin, data_end, data_image, bss_begin, bss_end, stack_top;
static uint32_t began;
int main(int count, char **arguments);

void initialise_board(void)
{
    REG(0xE000EDFC) = 1u << 24;
    REG(0xE0001000) = 1;
}

__attribute__((noinline)) void start_trigger(void) { began = REG(0xE0001004); }
__attribute__((noinline)) void stop_trigger(void) { OUTCOME[0] = REG(0xE0001004) - began; }

void reset(void)
{
    for (volatile uint32_t *to = &data_begin, *from = &data_image; to < &data_end;)
        *to++ = *from++;
    for (volatile uint32_t *at = &bss_begin; at < &bss_end;)
        *at++ = 0;
    OUTCOME[2] = 0;
    OUTCOME[1] = (uint32_t)main(0, 0);
    OUTCOME[2] = 1;
    for (;;)
        ;
}

void _init(void) {}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {&stack_top, reset};
