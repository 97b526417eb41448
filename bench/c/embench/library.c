/* Memory a byte at a time, as a C library has it that was built for size: the records' was. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size)
{
    char *out = to;
    const char *in = from;
    while (size--)
        *out++ = *in++;
    return to;
}

void *memset(void *to, int value, size_t size)
{
    for (char *out = to; size--;)
        *out++ = (char)value;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    char *out = to;
    const char *in = from;
    if (out <= in)
        return memcpy(to, from, size);
    while (size--)
        out[size] = in[size];
    return to;
}

int memcmp(const void *one, const void *other, size_t size)
{
    const unsigned char *a = one, *b = other;
    for (; size--; ++a, ++b)
        if (*a != *b)
            return *a - *b;
    return 0;
}
