/* The independent watchdog, 128 ms, fed by the SysTick's rhythm. RM0368 15. */
#include "console.h"

int main(void)
{
    console_begin(16000000, 115200);
    put_text(RCC_CSR & BIT(29) ? "bitten\n" : "fresh\n");
    RCC_CSR |= BIT(24);
    IWDG_KR = 0xCCCC;
    IWDG_KR = 0x5555;
    IWDG_PR = 3; /* LSI / 32: a millisecond */
    IWDG_RLR = 128 - 1;
    while (IWDG_SR)
        ;
    IWDG_KR = 0xAAAA;
    SYST_RVR = 1600000 - 1; /* 100 ms */
    SYST_CVR = 0;
    SYST_CSR = 5;
    for (int n = 0;; n++) {
        while (!(SYST_CSR & BIT(16)))
            ;
#ifdef STARVE
        if (n < 3)
#endif
            IWDG_KR = 0xAAAA;
    }
}
