"""Hazards of the core, its memory, and what firmware leaves to chance."""

from __future__ import annotations

from fwgen.hazards.types import ERROR, NOTE, WARNING, Kind

KINDS = (
    Kind(
        "by-luck", ERROR, "passes or fails by chance", "RM0368 §2.3.1, §8.3.9",
        "What RAM holds at power-on, what a floating input reads and how a contact chatters is "
        "nobody's promise. A firmware that passes is run again with all of it otherwise; this one "
        "passed one way and failed the other.",
        "set every variable before it is read, pull every input, debounce every contact",
    ),
    Kind(
        "counted-time", NOTE, "timing that rests on counted instructions",
        "Arm Cortex-M4 TRM 100166 §3.3.1; RM0368 §3.4",
        "The time between two changes of a pin was passed by executing instructions alone: no "
        "timer, no SysTick, no flag was asked. Wait states, caches and interrupts change what an "
        "instruction takes. A contract that passes is therefore also run with the fewest and the "
        "most cycles that the manuals allow, and is UNSURE where it does not hold with them.",
        "let a timer or the SysTick keep the time",
    ),
    Kind(
        "flag-cleared-last", NOTE, "an interrupt's flag read first and cleared last",
        "Arm Cortex-M4 TRM 100166 §2.3.3 (write buffer); PM0214 §2.2.4",
        "The store that clears the flag may still be under way when the handler returns, so that "
        "it is entered once more. It reads its flags first, which waits for the store, and should "
        "find nothing to do: what passes is run again, and entered twice there.",
        "clear the flag first thing in the handler, or put DSB before the return",
    ),
    Kind(
        "flag-cleared-late", WARNING, "an interrupt's flag cleared at the end of its handler",
        "Arm Cortex-M4 TRM 100166 §2.3.3 (write buffer); PM0214 §2.2.4",
        "The store that clears the flag is still under way when the handler returns: the NVIC sees "
        "the old request and the handler may be entered a second time.",
        "clear the flag first thing in the handler, or put DSB before the return",
    ),
    Kind(
        "mpu-setting", ERROR, "the MPU is set as it cannot be", "PM0214 §4.2",
        "The manual leaves open what follows: a region may cover other addresses than meant, or "
        "none.",
        "use the sizes, rights and region numbers that the manual's tables have",
    ),
    Kind(
        "stack-into-data", ERROR, "the stack has grown into data", "PM0214 §2.1.2",
        "Nothing guards the stack of this core: pushed registers and local variables overwrite the "
        "firmware's own variables, and the other way round.",
        "use less stack (recursion, large locals), or less data",
    ),
    Kind(
        "unpredictable", ERROR, "an encoding that the architecture leaves undefined",
        "Arm ARM DDI0403 A5",
        "What UNPREDICTABLE machine code does differs from core to core, and may differ from one "
        "run to the next. LLVM up to 22, so clang and rustc, emits one for an atomic exchange "
        "where it does not optimise: CMP of two low registers in the encoding of high ones (LLVM "
        "bug 204519).",
        "use an encoding that the manual defines; if a compiler chose it, let it optimise (-O1, "
        "opt-level = 1) or take a newer one",
    ),
    Kind(
        "vtor-misaligned", ERROR, "the vector table is not aligned", "PM0214 §4.4.4",
        "The core ors the number of an exception into the table's address: from a table that is "
        "not aligned to its size, rounded up to a power of two, wrong vectors are fetched.",
        "place the vector table at a multiple of its size",
    ),
)  # fmt: skip
