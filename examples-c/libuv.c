/* libuv RECIPIENT COUNT [NAME=VALUE...] SERVER: many sends at once in a libuv loop, while a timer ticks.
 *
 * One of them has a reader that fails, one waits for its reader until it is cancelled, one has a dead server.
 * Link with `pkg-config --cflags --libs libsmtp libuv`. */
#define _POSIX_C_SOURCE 200809L
#include <libsmtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* ---- What libuv needs to know of a send. */
typedef struct job {
    smtp_engine *engine;
    uv_timer_t timer;
    uv_poll_t *poll; /* of this descriptor */
    int fd;
    void (*done)(struct job *);
} job;

static void watch(job *j);
static void freed(uv_handle_t *handle) { free(handle); }

static void go_on(job *j, int what)
{
    int code = smtp_engine_ready(j->engine, what);

    watch(j);
    if (code == SMTP_DONE) j->done(j);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    int what = (events & UV_READABLE ? SMTP_READ : 0) | (events & UV_WRITABLE ? SMTP_WRITE : 0);
    go_on(poll->data, status < 0 ? SMTP_READ : what);
}

static void on_timer(uv_timer_t *timer) { go_on(timer->data, 0); }

static void watch(job *j)
{
    int fd = smtp_engine_fd(j->engine), interest = smtp_engine_interest(j->engine);
    int64_t wait = smtp_engine_timeout(j->engine);

    if (fd != j->fd && j->poll != NULL) uv_close((uv_handle_t *)j->poll, freed);
    if (fd != j->fd && (j->poll = fd < 0 ? NULL : malloc(sizeof *j->poll)) != NULL) uv_poll_init(j->timer.loop, j->poll, fd);
    j->fd = fd;
    if (j->poll != NULL) j->poll->data = j;
    if (j->poll != NULL)
        uv_poll_start(j->poll, (interest & SMTP_READ ? UV_READABLE : 0) | (interest & SMTP_WRITE ? UV_WRITABLE : 0), on_poll);
    if (wait < 0) uv_timer_stop(&j->timer);
    else uv_timer_start(&j->timer, on_timer, (uint64_t)wait, 0);
}
/* ---- */

enum { FAILING = 1, WAITING = 2, DEAD = 3, CODES = 32 };

static int left, ticks, counts[CODES]; /* of SMTP_PARTIAL, SMTP_OK, and the errors below it */
static smtp_cancel *cancel;

static void finished(job *j)
{
    smtp_result *result = NULL;
    int status = smtp_engine_result(j->engine, &result);

    counts[SMTP_PARTIAL - status]++;
    smtp_result_free(result);
    smtp_engine_free(j->engine);
    uv_close((uv_handle_t *)&j->timer, NULL);
    left--;
}

static int64_t failing(void *octets, void *buffer, size_t size)
{
    size_t *given = octets;

    if (*given >= 100000) return -1;
    if (size > 64) size = 64;
    memset(buffer, 'x', size - 1);
    ((char *)buffer)[size - 1] = '\n';
    *given += size;
    return (int64_t)size;
}

static int64_t waiting(void *none, void *buffer, size_t size)
{
    (void)none, (void)buffer, (void)size;
    return SMTP_READ_AGAIN;
}

static void tick(uv_timer_t *timer)
{
    ticks++;
    if (ticks == 3) smtp_cancel_trigger(cancel);
    if (left == 0) uv_close((uv_handle_t *)timer, NULL);
}

static smtp_engine *begin(int i, smtp_message *message, const smtp_options *options)
{
    static const char body[] = "One of many at once.\n";
    static size_t given;
    smtp_options *own = smtp_options_copy(options);
    smtp_engine *engine = NULL;

    if (i == FAILING) smtp_message_set_body_reader(message, failing, NULL, &given, NULL, -1);
    else if (i == WAITING) smtp_message_set_body_reader(message, waiting, NULL, NULL, NULL, -1);
    else smtp_message_set_text(message, body, sizeof body - 1);
    if (i == WAITING) smtp_options_set_cancel(own, cancel);
    if (i == DEAD) smtp_options_set(own, "servers", "127.0.0.1:1");
    smtp_engine_new(message, own, &engine); /* where it fails the result says why */
    smtp_options_free(own);
    return engine;
}

int main(int argc, char **argv)
{
    smtp_message *message = smtp_message_new();
    smtp_options *options = smtp_options_new();
    int count = argc > 2 ? atoi(argv[2]) : 1, i;
    job *jobs = calloc((size_t)count + 1, sizeof *jobs);
    uv_timer_t ticker;

    cancel = smtp_cancel_new();
    smtp_options_set(options, "recipients", argc > 1 ? argv[1] : "");
    for (i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value != NULL) *value++ = '\0';
        if (smtp_options_set(options, value != NULL ? argv[i] : "servers", value != NULL ? value : argv[i]) != SMTP_OK)
            fprintf(stderr, "%s\n", smtp_options_error(options));
    }
    uv_timer_init(uv_default_loop(), &ticker);
    uv_timer_start(&ticker, tick, 10, 10);
    for (i = 0; i < count; i++, left++) {
        jobs[i].engine = begin(i, message, options);
        jobs[i].fd = -1;
        jobs[i].done = finished;
        uv_timer_init(uv_default_loop(), &jobs[i].timer);
        jobs[i].timer.data = &jobs[i];
        watch(&jobs[i]);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_loop_close(uv_default_loop());
    for (i = 0; i < CODES; i++) {
        if (counts[i] != 0) printf("%d %s\n", counts[i], smtp_code_name(SMTP_PARTIAL - i));
    }
    printf("the timer ticked%s\n", ticks > 3 ? "" : " too seldom");
    free(jobs);
    smtp_cancel_free(cancel);
    smtp_options_free(options);
    smtp_message_free(message);
    return 0;
}
