/* What must not harm the host: forks, deep nesting, callbacks that wait for what calls them. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEVELS 100      /* parts within each other that the library allows */
#define STACK (256 * 1024)

/* A good send of its own, in a child. */
static int sends(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    smtp_result *r = NULL;
    int code = smtp_sendmessage(m, o, &r);

    smtp_result_free(r);
    smtp_options_free(o);
    smtp_message_free(m);
    return code;
}

typedef struct {
    smtp_message *message;
    smtp_options *options;
    smtp_result *result;
    smtp_cancel *cancel;
    smtp_session *session, *closed;
    smtp_engine *engine, *talk;
    smtp_mailer *mailer;
} handles;

static int child_of_plain_handles(void *data)
{
    handles *h = data;
    smtp_result *r = NULL;
    int bad = 0;

    /* A message, options, a result and a cancel are memory: all of it is the child's. */
    bad |= smtp_message_set_header(h->message, "Subject", "from the child") != SMTP_OK;
    bad |= smtp_options_set(h->options, "timeout", "19") != SMTP_OK;
    bad |= smtp_result_status(h->result) != SMTP_OK;
    bad |= smtp_sendmessage(h->message, h->options, &r) != SMTP_OK;
    smtp_result_free(r);
    smtp_cancel_trigger(h->cancel);
    bad |= smtp_sendmessage(h->message, h->options, &r) != SMTP_ERR_CANCELLED;
    smtp_result_free(r);
    smtp_message_free(h->message);
    smtp_options_free(h->options);
    smtp_result_free(h->result);
    smtp_cancel_free(h->cancel);
    return bad;
}

static int child_of_sessions(void *data)
{
    handles *h = data;
    smtp_message *m = mail();
    smtp_result *r = NULL;
    int bad = 0;

    bad |= (smtp_session_is_open(h->session) != 0) << 0;
    bad |= (smtp_session_noop(h->session) != SMTP_ERR_USAGE) << 1;
    bad |= (strstr(smtp_session_error(h->session), "parent process") == NULL) << 2;
    bad |= (smtp_session_sendmessage(h->session, m, NULL, &r) != SMTP_ERR_USAGE) << 3;
    smtp_result_free(r);
    bad |= (smtp_session_quit(h->session) != SMTP_ERR_USAGE) << 4;
    smtp_session_close(h->session);
    smtp_session_free(h->closed);
    smtp_message_free(m);
    bad |= (sends() != SMTP_OK) << 5;
    return bad;
}

static int child_of_engines(void *data)
{
    handles *h = data;
    const void *octets = NULL;
    size_t length = 1;
    smtp_result *r = NULL;
    int bad = 0;

    bad |= (smtp_engine_action(h->engine) != SMTP_DONE) << 0;
    bad |= (smtp_engine_output(h->engine, &octets, &length) != SMTP_ERR_USAGE || length != 0) << 1;
    bad |= (smtp_engine_result(h->engine, &r) != SMTP_ERR_USAGE || r == NULL) << 2;
    bad |= (strstr(smtp_result_error(r), "parent process") == NULL) << 3;
    smtp_result_free(r);
    bad |= (smtp_engine_ask_command(h->talk, "NOOP") != SMTP_ERR_USAGE) << 4;
    bad |= (smtp_engine_action(h->talk) != SMTP_DONE) << 5;
    bad |= (smtp_engine_output(h->talk, &octets, &length) != SMTP_ERR_USAGE || length != 0) << 6;
    smtp_engine_part(h->talk);
    bad |= (smtp_engine_timeout(h->talk) != -1) << 7;
    smtp_engine_free(h->engine);
    smtp_engine_free(h->talk);
    return bad;
}

static int child_of_a_mailer(void *data)
{
    handles *h = data;
    smtp_message *m = mail();
    smtp_result *r = NULL;
    int64_t ticket;
    int bad = 0;

    bad |= (smtp_mailer_submit(h->mailer, m, NULL, &r) != SMTP_ERR_USAGE) << 0;
    bad |= (strstr(smtp_result_error(r), "parent process") == NULL) << 1;
    smtp_result_free(r);
    bad |= (smtp_mailer_try_submit(h->mailer, m, NULL, NULL) != SMTP_ERR_USAGE) << 2;
    bad |= (smtp_mailer_next(h->mailer, -1, &ticket, &r) != 0) << 3;
    bad |= (smtp_mailer_drain(h->mailer, -1) != 1) << 4;
    bad |= (smtp_mailer_close(h->mailer, 1000) != 1 || smtp_mailer_close(h->mailer, -1) != 1) << 5;
    bad |= (smtp_mailer_count(h->mailer, SMTP_COUNT_SUBMITTED) != 0) << 6;
    smtp_mailer_free(h->mailer);
    smtp_message_free(m);
    bad |= (sends() != SMTP_OK) << 7;
    return bad;
}

/* It is left as it is: exit() alone must come to an end. */
static int child_of_nothing(void *data)
{
    (void)data;
    return 0;
}

static void forks(void)
{
    handles h;
    int n;

    memset(&h, 0, sizeof h);
    h.message = mail();
    h.options = to_sink();
    h.cancel = smtp_cancel_new();
    smtp_options_set_cancel(h.options, h.cancel);
    CODE(smtp_sendmessage(h.message, h.options, &h.result), SMTP_OK);
    both(child_of_plain_handles, &h);
    CODE(smtp_result_status(h.result), SMTP_OK);

    CODE(smtp_session_open("127.0.0.1", port, h.options, &h.session), SMTP_OK);
    CODE(smtp_session_open("127.0.0.1", port, h.options, &h.closed), SMTP_OK);
    TEXT(smtp_session_error(h.session), "");
    CODE(smtp_session_noop(h.session), 250);
    both(child_of_sessions, &h);
    both(child_of_nothing, NULL);
    CODE(smtp_session_noop(h.session), 250);
    CODE(smtp_session_sendmessage(h.session, h.message, NULL, NULL), SMTP_OK);
    CODE(smtp_session_noop(h.closed), 250);
    smtp_session_close(h.session);
    smtp_session_close(h.closed);

    CODE(smtp_engine_new(h.message, h.options, &h.engine), SMTP_OK);
    CODE(smtp_engine_connected(h.engine, -1), SMTP_OK);
    CODE(smtp_engine_new_session("127.0.0.1", port, h.options, &h.talk), SMTP_OK);
    CODE(smtp_engine_connected(h.talk, -1), SMTP_OK);
    both(child_of_engines, &h);
    CODE(smtp_engine_action(h.engine), SMTP_EXCHANGE);
    CODE(smtp_engine_action(h.talk), SMTP_EXCHANGE);
    CHECK(smtp_engine_ask_command(h.talk, "NOOP") > 0);
    smtp_engine_free(h.engine);
    smtp_engine_free(h.talk);

    CODE(smtp_mailer_new(h.options, &h.mailer, NULL), SMTP_OK);
    for (n = 1; n <= 40; n++) {
        CODE(smtp_mailer_submit(h.mailer, h.message, NULL, NULL), n);
        if (n % 20 == 0) both(child_of_a_mailer, &h);
        if (n % 20 == 0) both(child_of_nothing, NULL);
    }
    CODE(smtp_mailer_close(h.mailer, 20000), 1);
    CODE(smtp_mailer_count(h.mailer, SMTP_COUNT_ACCEPTED), 40);
    both(child_of_a_mailer, &h);
    smtp_mailer_free(h.mailer);
    smtp_result_free(h.result);
    smtp_cancel_free(h.cancel);
    smtp_options_free(h.options);
    smtp_message_free(h.message);
}

/* Threads that use everything while another one forks: no lock of theirs may keep the child waiting. */
static volatile sig_atomic_t over;

static void *works(void *data)
{
    smtp_options *o = data;
    smtp_message *m = mail();
    smtp_mailer *mailer = NULL;
    smtp_session *session = NULL;

    smtp_mailer_new(o, &mailer, NULL);
    smtp_session_open("127.0.0.1", port, o, &session);
    while (!over) {
        int64_t ticket;
        smtp_result *r = NULL;

        smtp_mailer_submit(mailer, m, NULL, NULL);
        smtp_sendmessage(m, o, NULL);
        smtp_session_noop(session);
        if (smtp_mailer_next(mailer, 1, &ticket, &r) == 1) smtp_result_free(r);
    }
    smtp_session_close(session);
    smtp_mailer_free(mailer);
    smtp_message_free(m);
    return NULL;
}

static int child_of_threads(void *data)
{
    smtp_message *m = mail();
    int code = smtp_sendmessage(m, data, NULL);

    smtp_message_free(m);
    return code;
}

static void forks_among_threads(void)
{
    smtp_options *o = to_sink();
    pthread_t threads[3];
    size_t i;

    for (i = 0; i < 3; i++) CODE(pthread_create(&threads[i], NULL, works, o), 0);
    /* A leak checker may wait at exit() for threads that the child does not have. */
    for (i = 0; i < 20; i++) CHECK(in_child(child_of_threads, o, getenv("SANITIZE") == NULL && i % 2 == 1));
    over = 1;
    for (i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    smtp_options_free(o);
}

/* Parts within each other. */
static int octets(void *user_data, const void *data, size_t size)
{
    (void)data;
    *(size_t *)user_data += size;
    return 0;
}

/* How often it could be put into another one, of 20 000 times. */
static int wraps(smtp_message *m, int as_multipart, int most)
{
    int n;

    for (n = 0; n < most; n++) {
        if (as_multipart) {
            smtp_message *outer = smtp_message_new();
            int code = smtp_message_set_multipart(outer, "mixed");

            if (code == SMTP_OK) code = smtp_message_add_part(outer, m);
            if (code == SMTP_OK) code = smtp_message_set_multipart(m, "mixed");
            if (code == SMTP_OK) code = smtp_message_add_part(m, outer);
            smtp_message_free(outer);
            if (code != SMTP_OK) return n;
        } else if (smtp_message_set_rfc822(m, m) != SMTP_OK) {
            return n;
        }
    }
    return n;
}

static void *nests(void *data)
{
    int as_multipart;

    (void)data;
    for (as_multipart = 0; as_multipart < 2; as_multipart++) {
        smtp_message *m = mail(), *copy;
        size_t written = 0;
        int64_t size = 0;

        /* The second is two levels a time. */
        CODE(wraps(m, as_multipart, 20000), as_multipart ? LEVELS / 2 : LEVELS);
        PART(smtp_message_error(m), as_multipart ? "" : "100 parts within each other");
        copy = smtp_message_copy(m);
        CODE(smtp_message_write(copy, octets, &written), SMTP_OK);
        CHECK(written > (size_t)LEVELS * 30);
        CODE(smtp_message_size(copy, &size), SMTP_OK);
        CODE(size, written);
        CODE(smtp_message_attach(copy, "a", NULL, "b", 1), as_multipart ? SMTP_OK : SMTP_ERR_USAGE);
        smtp_message_free(m);
        smtp_message_free(copy);
    }
    return NULL;
}

static void nesting(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    CODE(pthread_create(&thread, &attributes, nests, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

/* A mailer that is waited for, closed and freed by what it calls. */
typedef struct {
    smtp_mailer *volatile mailer;
    int frees, calls, busy, at;
} inside;

static void waits(inside *in)
{
    int64_t ticket;
    smtp_result *r = NULL;

    if (in->mailer == NULL) return;
    in->calls++;
    in->busy += smtp_mailer_close(in->mailer, -1) == SMTP_ERR_BUSY;
    in->busy += smtp_mailer_drain(in->mailer, -1) == SMTP_ERR_BUSY;
    if (smtp_mailer_next(in->mailer, -1, &ticket, &r) == 1) smtp_result_free(r);
    if (in->frees) smtp_mailer_free(in->mailer), in->mailer = NULL;
}

static void hears(void *user_data, int direction, const char *line)
{
    (void)direction, (void)line;
    waits(user_data);
}

static int64_t reads(void *user_data, void *buffer, size_t size)
{
    static const char text[] = "From: a@a.example\nTo: b@b.example\n\nHello.\n";
    inside *in = user_data;

    (void)size;
    if (in->at > 0) waits(in);
    if (in->at > 1) return 0;
    memcpy(buffer, text + (in->at ? 35 : 0), in->at ? 7 : 35);
    return in->at++ ? 7 : 35;
}

static void mailers_in_their_callbacks(void)
{
    int way;

    for (way = 0; way < 4; way++) {
        inside in;
        smtp_options *o = to_sink();
        smtp_message *m = mail();
        smtp_mailer *mailer = NULL;

        memset(&in, 0, sizeof in);
        in.frees = way >= 2;
        if (way % 2 == 0) smtp_options_set_transcript(o, hears, &in, NULL);
        else CODE(smtp_message_set_message_reader(m, reads, NULL, &in, NULL, -1), SMTP_OK);
        CODE(smtp_mailer_new(o, &mailer, NULL), SMTP_OK);
        in.mailer = mailer;
        if (in.frees) {
            /* The callback has the mailer, and frees it: only its thread's end can be waited for. */
            CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 1);
            while (in.mailer != NULL) pause_for(1);
            pause_for(100);
        } else {
            CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 1);
            CODE(smtp_mailer_drain(mailer, -1), 1);
            CODE(smtp_mailer_close(mailer, -1), 1);
            CODE(smtp_mailer_count(mailer, SMTP_COUNT_ACCEPTED), 1);
            smtp_mailer_free(mailer);
            CHECK(in.calls > 0);
            CODE(in.busy, 2 * in.calls);
        }
        smtp_message_free(m);
        smtp_options_free(o);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    nesting();
    mailers_in_their_callbacks();
    forks();
    forks_among_threads();
    return summary();
}
