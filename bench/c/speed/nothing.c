/* Stops at once: what it costs to begin. */
#include "speed.h"

VECTORS = {RESET(reset)};

void reset(void) { done(); }
