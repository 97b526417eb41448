/* SCB->CPUID of a Cortex-M4 r0p1. */
#include "fw.h"
void program(void)
{
    uint32_t id = SCB->cpuid;
    console();
    say(MISS_OR("CPUID ", "CPUID 0x"));
    for (int shift = 24; shift >= 0; shift -= 8)
        hex2(id >> shift);
    say("\r\n");
}
