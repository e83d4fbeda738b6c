/* Checks that go on after a failure, and count. */
#ifndef CHECK_H
#define CHECK_H

#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

static void check_that(int holds, const char *what, const char *file, int line)
{
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("%s:%d: not so: %s\n", file, line, what);
    }
}

static void check_code(long got, long expected, const char *what, const char *file, int line)
{
    if (got != expected) printf("%s:%d: %ld, not %ld\n", file, line, got, expected);
    check_that(got == expected, what, file, line);
}

static void check_text(const char *got, const char *expected, const char *what, const char *file, int line)
{
    int same = got != NULL && strcmp(got, expected) == 0;

    if (!same) printf("%s:%d: `%s`, not `%s`\n", file, line, got != NULL ? got : "(NULL)", expected);
    check_that(same, what, file, line);
}

static void check_part(const char *got, const char *part, const char *what, const char *file, int line)
{
    int there = got != NULL && strstr(got, part) != NULL;

    if (!there) printf("%s:%d: no `%s` in `%s`\n", file, line, part, got != NULL ? got : "(NULL)");
    check_that(there, what, file, line);
}

#define CHECK(holds) check_that((holds) ? 1 : 0, #holds, __FILE__, __LINE__)
#define CODE(call, code) check_code((long)(call), (long)(code), #call, __FILE__, __LINE__)
#define TEXT(call, text) check_text((call), (text), #call, __FILE__, __LINE__)
#define PART(call, text) check_part((call), (text), #call, __FILE__, __LINE__)
#define EMPTY(call) TEXT(call, "")

static int summary(void)
{
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}

#endif
