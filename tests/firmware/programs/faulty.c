/* Faults on purpose; the handler tells CFSR and where, steps over the culprit and goes on. */
#include "console.h"

volatile uint32_t zero;

void report(uint32_t *frame, const char *which)
{
    uint32_t cfsr = SCB_CFSR;

    put_text(which);
    put_text(" CFSR ");
    put_hex(cfsr);
    if (cfsr & BIT(15)) {
        put_text(" at ");
        put_hex(SCB_BFAR);
    }
    put_text("\r\n");
    SCB_CFSR = cfsr;
    uint16_t opcode = *(uint16_t *)frame[6];
    frame[6] += opcode >> 11 >= 0x1D ? 4 : 2;
}

#define TELL(handler, name)                                                                        \
    __attribute__((naked)) void handler(void)                                                      \
    {                                                                                              \
        __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n ldr r1, =" #handler  \
                       "_name\n b report\n .ltorg");                                               \
    }                                                                                              \
    const char handler##_name[] = name;

TELL(bus_fault, "bus")
TELL(usage_fault, "usage")
TELL(hard_fault, "hard")

int main(void)
{
    console_begin(16000000, 115200);
    SCB_SHCSR |= BIT(18) | BIT(17);
    SCB_CCR |= BIT(4);
    __asm volatile("ldr r0, [%0]" ::"r"(0x30000000) : "r0", "memory");
    __asm volatile("udiv r0, %0, %1" ::"r"(7), "r"(zero) : "r0");
    __asm volatile("udf.w #0");
    __asm volatile("ldrd r0, r1, [%0]" ::"r"(0x20000002) : "r0", "r1", "memory");
    SCB_SHCSR = 0; /* from here on all escalate */
    __asm volatile("udf #1");
    put_text("alive\r\n");
    for (;;)
        wfi();
}
