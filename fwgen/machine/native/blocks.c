/* The block hook in C: what armv7m/core.py's Python hook does, for the blocks that need no look.
 *
 * Anything out of the ordinary goes to `slow`, which is Python.
 */
#include "clockwork.h"

enum { LAYOUT = 6, UNALIGNED = 4, NEAR = 64, FAR = 128, LINE = 4, MOST_REFILL = 3 };

PUBLIC void fwgen_on_block(void *uc, uint64_t address, uint32_t size, void *user) {
    Clockwork *at = user;
    int64_t cycle = at->cycle + at->cost, before, look = at->look;
    (void)uc;
    if ((int64_t)address != at->end)
        cycle += at->refill;
    before = cycle;
    if (at->table) {
        Entry *block = find(at, address << 12 | size);
        if ((int64_t)address != at->end) { /* all is 0 where there is no such block */
            cycle += block->flags & UNALIGNED && at->refill < MOST_REFILL;
            const int64_t lines = ((int64_t)address >> LINE) - ((at->end - 1) >> LINE);
            if (lines) {
                cycle += lines == 1 && block->flags & NEAR ? at->near : block->landing;
                if (lines != 1)
                    look |= FAR;
            }
        }
        if (block->key && !(block->flags & look) && cycle + block->cost <= at->limit &&
            !((int64_t)address <= at->start && ++block->entries > at->hot)) {
            at->cycle = cycle;
            at->cost = block->cost;
            at->refill = block->refill;
            at->near = block->near;
            at->start = (int64_t)address;
            at->end = (int64_t)(address + size);
            if (block->flags & at->heed) {
                at->attention = 1;
                at->limit = -1;
            }
            return;
        }
    }
    at->slow(before, address, size);
}

PUBLIC void fwgen_clear(Clockwork *at) {
    free(at->table);
    at->table = NULL;
    at->capacity = at->used = 0;
}

/* Returns 0 when there is no memory: the block then stays unknown here, and slow. */
PUBLIC int fwgen_put(Clockwork *at, uint64_t key, int64_t cost, int64_t refill, int64_t landing,
                     int64_t near, int64_t entries, int64_t flags, const int32_t *prefix) {
    Entry *block;
    if (at->used * 2 >= at->capacity) {
        Clockwork bigger = *at;
        int64_t old;
        bigger.capacity = at->capacity ? at->capacity * 2 : 1024;
        bigger.table = calloc((size_t)bigger.capacity, sizeof(Entry));
        if (!bigger.table)
            return 0;
        for (old = 0; old < at->capacity; old++)
            if (at->table[old].key)
                *find(&bigger, at->table[old].key) = at->table[old];
        free(at->table);
        at->table = bigger.table;
        at->capacity = bigger.capacity;
    }
    block = find(at, key);
    at->used += !block->key;
    block->key = key;
    block->cost = cost;
    block->refill = refill;
    block->landing = landing;
    block->near = near;
    block->entries = entries;
    block->flags = flags;
    block->prefix = prefix;
    return 1;
}

PUBLIC int64_t fwgen_entries(const Clockwork *at, uint64_t key) {
    return at->table ? find(at, key)->entries : 0;
}

/* Which layout the structures have: Python must have the same. */
PUBLIC int fwgen_layout(void) {
    return LAYOUT;
}

/* The build tools expect an extension module to have this; it is loaded through ctypes instead. */
PUBLIC void *PyInit__blocks(void) {
    return NULL;
}
