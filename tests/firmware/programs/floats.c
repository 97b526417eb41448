/* Single-precision arithmetic in the thread and in a handler that interrupts it (lazy stacking:
 * PM0214 4.6, Arm ARM B1.5.7). Either one's sum is off if the other's registers leak into it. */
#include "clock.h"
#include "console.h"

static volatile float wave;
static volatile uint32_t beats;

void systick(void)
{
    float x = (float)(++beats % 100) * 0.02f - 1.0f, y = 0;

    for (int n = 0; n < 8; n++)
        y = y * x + 1.0f / (float)(n + 1);
    wave = y;
}

static void put_float(float f)
{
    if (f < 0) {
        put('-');
        f = -f;
    }
    uint32_t thousandths = (uint32_t)(f * 1000.0f + 0.5f);

    put_number(thousandths / 1000);
    put('.');
    put((char)('0' + thousandths / 100 % 10));
    put((char)('0' + thousandths / 10 % 10));
    put((char)('0' + thousandths % 10));
}

int main(void)
{
    clock_84_mhz(false);
    console_begin(PCLK1, 115200);
#ifdef NO_STACKING
    FPCCR = 0; /* nothing begins a context any more; and the one that main began is left */
    __asm volatile("mrs r3, control\n bic r3, #4\n msr control, r3\n isb" ::: "r3");
#endif
    SYST_RVR = 8400 - 1; /* 10 kHz */
    SYST_CVR = 0;
    SYST_CSR = 7;
    for (uint32_t round = 1; round <= 4; round++) {
        float s = 0, c = 1, step = 0.001f;

        for (uint32_t n = 0; n < 6283; n++) { /* once around a circle */
            s += c * step;
            c -= s * step;
        }
        put_text("round ");
        put_number(round);
        put_text(": cos ");
        put_float(c);
        put_text(", root ");
        float root;
        __asm("vsqrt.f32 %0, %1" : "=t"(root) : "t"((float)round));
        put_float(root);
        put_text(wave > -10.0f && wave < 10.0f ? "\r\n" : " bad\r\n");
    }
    put_text(beats > 30 ? "done\r\n" : "no beats\r\n");
    SYST_CSR = 0;
    for (;;)
        wfi();
}
