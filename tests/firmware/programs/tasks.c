/* Two tasks with stacks of their own: SVC starts, the SysTick asks, PendSV switches, with the
 * FPU's upper registers where a task used them (EXC_RETURN bit 4). */
#include "clock.h"
#include "console.h"

typedef struct {
    uint32_t *sp, wake, stack[128];
} task;

static task tasks[3];
task *current; /* the handlers name it in assembler */
static volatile uint32_t now;

__attribute__((naked)) void svcall(void)
{
    __asm volatile("ldr r3, =current\n ldr r1, [r3]\n ldr r0, [r1]\n"
                   "ldmia r0!, {r4-r11, lr}\n msr psp, r0\n isb\n bx lr\n .ltorg");
}

void choose(void)
{
    for (int n = 0; n < 2; n++)
        if ((int32_t)(now - tasks[n].wake) >= 0 && &tasks[n] != current) {
            current = &tasks[n];
            return;
        }
    if ((int32_t)(now - current->wake) < 0)
        current = &tasks[2]; /* idle */
}

__attribute__((naked)) void pendsv(void)
{
    __asm volatile("mrs r0, psp\n isb\n ldr r3, =current\n ldr r2, [r3]\n"
#ifndef DROP_FPU
                   "tst lr, #0x10\n it eq\n vstmdbeq r0!, {s16-s31}\n"
#endif
                   "stmdb r0!, {r4-r11, lr}\n str r0, [r2]\n"
                   "mov r4, r3\n bl choose\n ldr r1, [r4]\n ldr r0, [r1]\n"
                   "ldmia r0!, {r4-r11, lr}\n"
#ifndef DROP_FPU
                   "tst lr, #0x10\n it eq\n vldmiaeq r0!, {s16-s31}\n"
#endif
                   "msr psp, r0\n isb\n bx lr\n .ltorg");
}

void systick(void)
{
    now++;
    SCB_ICSR = BIT(28);
}

static void sleep_ms(uint32_t ms)
{
    current->wake = now + ms;
    SCB_ICSR = BIT(28);
    dsb();
    isb();
}

static void blinker(void)
{
    float even = 3.0f;

    for (;;) {
        GPIOA->odr ^= BIT(5);
        float a = even * 1.5f;
        __asm volatile("vmov.f32 s20, %0" ::"t"(a) : "s20");
        sleep_ms(100);
        float b;
        __asm volatile("vmov.f32 %0, s20" : "=t"(b)::"s20");
        if (b != a)
            put_text("lost\r\n");
        even += 0.25f;
    }
}

static void speaker(void)
{
    float sum = 0;
    uint32_t n = 0;

    for (;;) {
        __asm volatile("vmov.f32 s20, %0" ::"t"(sum) : "s20");
        sleep_ms(150);
        __asm volatile("vmov.f32 %0, s20" : "=t"(sum)::"s20");
        sum += 0.5f;
        n++;
        put_text("n ");
        put_number(n);
        put_text(" sum ");
        put_number((uint32_t)(sum * 2.0f));
        put_text("\r\n");
    }
}

static void idle(void)
{
    for (;;)
        wfi();
}

static void begin(task *t, void (*entry)(void))
{
    uint32_t *sp = t->stack + 128;

    *--sp = BIT(24);
    *--sp = (uint32_t)entry & ~1u;
    *--sp = 0xFFFFFFFF; /* no way back */
    sp -= 5;
    *--sp = 0xFFFFFFFD; /* thread mode, PSP, no FPU frame */
    sp -= 8;
    t->sp = sp;
}

int main(void)
{
    clock_84_mhz(true);
    console_begin(PCLK1, 115200);
    pin_mode(GPIOA, 5, OUTPUT);
    begin(&tasks[0], blinker);
    begin(&tasks[1], speaker);
    begin(&tasks[2], idle);
    current = &tasks[0];
    SCB_SHPR3 = 0xF0u << 24 | 0xF0u << 16;
    SYST_RVR = HCLK / 1000 - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
    __asm volatile("svc 0");
    return 0;
}
