/* Preloaded: counts allocations, and writes at the end "CALLS OCTETS PEAK_KIB" to the file that BENCH_COUNT names. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_ullong calls, octets;

static void count(size_t size)
{
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&octets, size, memory_order_relaxed);
}

void *malloc(size_t size) { count(size); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { count(n * size); return __libc_calloc(n, size); }
void *realloc(void *old, size_t size) { count(size); return __libc_realloc(old, size); }
void *memalign(size_t to, size_t size) { count(size); return __libc_memalign(to, size); }
void *aligned_alloc(size_t to, size_t size) { count(size); return __libc_memalign(to, size); }

int posix_memalign(void **out, size_t to, size_t size)
{
    count(size);
    *out = __libc_memalign(to, size);
    return *out == NULL ? ENOMEM : 0;
}

__attribute__((destructor)) static void report(void)
{
    unsigned long long total = calls, all = octets;
    const char *name = getenv("BENCH_COUNT");
    FILE *status = fopen("/proc/self/status", "r"), *out = name ? fopen(name, "w") : NULL;
    char line[256];
    long peak = 0;

    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0) peak = atol(line + 6);
    if (out) {
        fprintf(out, "%llu %llu %ld\n", total, all, peak);
        fclose(out);
    }
    if (status) fclose(status);
}
