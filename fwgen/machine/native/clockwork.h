/* What the hooks in C share with Python through ctypes (native/__init__.py has the same layout).
 *
 * One table of known blocks (address and size -> cost), one of known places outside memory, one
 * structure of where the core is. No Python API is used.
 */
#ifndef FWGEN_CLOCKWORK_H
#define FWGEN_CLOCKWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

typedef struct {
    uint64_t key; /* address << 12 | size; 0 is free: no block has size 0 */
    int64_t cost;
    int64_t refill;  /* what a taken branch at its end costs */
    int64_t landing; /* what a branch to it from another line of the flash waits */
    int64_t near;    /* what a branch at its end waits for the line that follows */
    int64_t entries;
    int64_t flags;         /* armv7m/blocks.py */
    const int32_t *prefix; /* cycles before each halfword of it */
} Entry;

typedef struct Place Place;

typedef struct {
    int64_t cycle, cost, start, end, limit, attention, refill, near, hot, look, heed;
    void (*slow)(int64_t cycle, uint64_t address, uint32_t size);
    Entry *table;
    int64_t capacity, used;
    /* Accesses: access.c. */
    int64_t plain; /* nobody watches them, and nothing is forbidden */
    int64_t epoch; /* answers of an earlier one hold no more */
    int64_t looks; /* places that were answered for, of which Python does not know yet */
    int64_t access_pc, access_cycle; /* of the access under way; -1: Python knows */
    Place *places;
    int64_t places_used;
    Place *looked; /* the last of ``looks`` */
    int (*reg_read)(void *uc, int id, void *value);
    int (*reg_write)(void *uc, int id, const void *value);
    int64_t pc, control, epsr; /* the engine's ids */
    bool (*refused)(void *uc, int kind, uint64_t address, int size, int64_t value, void *user);
    uint64_t (*read)(uint64_t address, uint32_t size, int64_t pc, int64_t cycle, int keep);
    void (*write)(uint64_t address, uint32_t size, uint64_t value, int64_t pc, int64_t cycle);
} Clockwork;

static inline Entry *find(const Clockwork *at, uint64_t key) {
    uint64_t mask = (uint64_t)at->capacity - 1;
    uint64_t slot = (key * UINT64_C(0x9E3779B97F4A7C15)) >> 20 & mask;
    while (at->table[slot].key && at->table[slot].key != key)
        slot = (slot + 1) & mask;
    return &at->table[slot];
}

#endif
