/* What the core itself promises, told line by line: SVC, bit-band, priorities, vectors in RAM,
 * the cycle counter, unaligned access. */
#include "console.h"

static char order[32];
static volatile uint32_t length;

static void note(char c) { order[length++] = c; }

static void tell(const char *what)
{
    order[length] = 0;
    put_text(what);
    put(' ');
    put_text(order);
    put('\n');
    length = 0;
}

/* TIM2 is the least urgent, TIM3 middling, TIM4 the most. */
void tim2(void)
{
    note('a');
    irq_pend(TIM4_IRQ);
    dsb();
    isb();
    note('A');
}
void tim3(void)
{
    note('b');
    irq_pend(TIM2_IRQ);
    dsb();
    isb();
    note('B');
}
void tim4(void)
{
    note('c');
    note('C');
}

static void priorities(void)
{
    irq_priority(TIM2_IRQ, 12);
    irq_priority(TIM3_IRQ, 8);
    irq_priority(TIM4_IRQ, 4);
    irq_enable(TIM2_IRQ);
    irq_enable(TIM3_IRQ);
    irq_enable(TIM4_IRQ);
    irq_pend(TIM2_IRQ);
    dsb();
    isb();
    tell("preempted"); /* a c C A */
    irq_pend(TIM3_IRQ);
    dsb();
    isb();
    tell("chained"); /* b B, then a c C A */
    irqs_off();
    irq_pend(TIM3_IRQ);
    irq_pend(TIM4_IRQ);
    irqs_on();
    isb();
    tell("masked"); /* c C b B a c C A */
    __asm volatile("msr basepri, %0" ::"r"(8 << 4));
    irq_pend(TIM3_IRQ);
    irq_pend(TIM4_IRQ);
    dsb();
    isb();
    note('-');
    __asm volatile("msr basepri, %0" ::"r"(0));
    isb();
    tell("raised"); /* c C - b B a c C A */
    SCB_AIRCR = 0x05FA0000 | 7 << 8; /* no preemption: subpriorities only */
    irq_pend(TIM2_IRQ);
    dsb();
    isb();
    tell("grouped"); /* a A c C */
    SCB_AIRCR = 0x05FA0000 | 3 << 8;
    STIR = TIM4_IRQ;
    dsb();
    isb();
    tell("triggered"); /* c C */
}

uint32_t answer(uint32_t *frame)
{
    uint8_t number = ((uint8_t *)frame[6])[-2];

    return frame[0] = number == 1 ? frame[0] + frame[1] : frame[0] * frame[1];
}

__attribute__((naked)) void svcall(void)
{
    __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n b answer");
}

#define CALL(number, a, b)                                                                         \
    ({                                                                                             \
        register uint32_t r0 __asm("r0") = (a);                                                    \
        register uint32_t r1 __asm("r1") = (b);                                                    \
        __asm volatile("svc %2" : "+r"(r0) : "r"(r1), "i"(number) : "r2", "r3", "r12", "memory");  \
        r0;                                                                                        \
    })

static volatile uint32_t flags;

static void bits(void)
{
    flags = 0x80000001;
    *bit_alias(&flags, 0) = 0;
    *bit_alias(&flags, 12) = 1;
    uint32_t top = *bit_alias(&flags, 31);
    pin_mode(GPIOA, 5, OUTPUT);
    *bit_alias(&GPIOA->odr, 5) = 1;
    put_text("bits ");
    put_hex(flags);
    put(' ');
    put_number(top + *bit_alias(&GPIOA->odr, 5));
    put('\n');
}

static uint32_t own[128] __attribute__((aligned(512)));
static volatile uint32_t beats;

__attribute__((section(".fast"), noinline, long_call)) static void beat(void)
{
    if (++beats == 3)
        SYST_CSR = 0;
}

static void vectors_in_ram(void)
{
    for (unsigned n = 0; n < 101; n++)
        own[n] = ((uint32_t *)0x08000000)[n];
    own[15] = (uint32_t)beat;
#ifdef CROOKED
    SCB_VTOR = (uint32_t)own + 128;
#else
    SCB_VTOR = (uint32_t)own;
#endif
    dsb();
    SYST_RVR = 999;
    SYST_CVR = 0;
    SYST_CSR = 7;
    for (volatile int n = 0; beats < 3 && n < 10000; n++)
        ;
    put_text("beats ");
    put_number(beats);
    put('\n');
}

static void cycles(void)
{
    uint32_t from, to;

    DEMCR |= BIT(24);
    DWT_CYCCNT = 0;
    DWT_CTRL |= BIT(0);
    __asm volatile(".balign 16\n ldr %0, [%2]\n"
                   "movs r3, #100\n 1: subs r3, #1\n bne 1b\n"
                   "ldr %1, [%2]"
                   : "=&r"(from), "=&r"(to)
                   : "r"(&DWT_CYCCNT)
                   : "r3", "cc");
    put_text("cycles ");
    put_number(to - from);
    put('\n');
}

static void crooked(void)
{
    static uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint32_t word, half;

#ifdef TRAP
    SCB_CCR |= BIT(3);
#endif
    __asm volatile("ldr %0, [%2]\n ldrh %1, [%2, #2]"
                   : "=&r"(word), "=&r"(half)
                   : "r"(bytes + 1));
    put_text("crooked ");
    put_hex(word);
    put(' ');
    put_hex(half);
    put('\n');
}

int main(void)
{
    console_begin(16000000, 115200);
    put_text("sum ");
    put_number(CALL(1, 30, 12));
    put_text(" product ");
    put_number(CALL(2, 6, 7));
    put('\n');
    bits();
    priorities();
    cycles();
    vectors_in_ram();
    crooked();
    for (;;)
        wfi();
}
