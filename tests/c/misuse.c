/* What must not be done, what goes wrong midway, and several threads. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Calling back into the handles that are in use. */
typedef struct {
    smtp_message *message;
    smtp_options *options;
    smtp_session *session;
    smtp_engine *engine;
    int calls, busy;
} inside;

static void call_back(void *user_data, int direction, const char *line)
{
    inside *in = user_data;

    (void)direction, (void)line;
    in->calls++;
    if (in->message != NULL) {
        in->busy += smtp_message_set_text(in->message, "x", 1) == SMTP_ERR_BUSY;
        CODE(smtp_message_error(in->message)[0], 0); /* reading is fine */
        smtp_message_free(smtp_message_copy(in->message));
    }
    if (in->options != NULL) in->busy += smtp_options_set(in->options, "debug", "1") == SMTP_ERR_BUSY;
    if (in->session != NULL) {
        in->busy += smtp_session_noop(in->session) == SMTP_ERR_BUSY;
        EMPTY(smtp_session_error(in->session));
        CODE(smtp_session_is_open(in->session), 0);
    }
    if (in->engine != NULL) in->busy += smtp_engine_timed_out(in->engine) == SMTP_ERR_BUSY;
}

static int write_back(void *user_data, const void *data, size_t size)
{
    inside *in = user_data;

    (void)data, (void)size;
    in->calls++;
    in->busy += smtp_message_set_text(in->message, "x", 1) == SMTP_ERR_BUSY;
    in->busy += smtp_message_copy(in->message) == NULL;
    return 0;
}

static void busy(void)
{
    inside in;

    memset(&in, 0, sizeof in);
    in.message = mail();
    in.options = to_sink();
    smtp_options_set_transcript(in.options, call_back, &in, NULL);
    CODE(smtp_sendmessage(in.message, in.options, NULL), SMTP_OK);
    CHECK(in.calls > 5);
    CODE(in.busy, 2 * in.calls);

    in.calls = in.busy = 0;
    CODE(smtp_message_write(in.message, write_back, &in), SMTP_OK);
    CHECK(in.calls > 0);
    CODE(in.busy, 2 * in.calls);
    smtp_message_free(in.message);
    in.message = NULL;

    in.calls = in.busy = 0;
    CODE(smtp_session_open("127.0.0.1", port, in.options, &in.session), SMTP_OK);
    in.calls = in.busy = 0;
    smtp_options_free(in.options); /* the session has its own copy */
    in.options = NULL;
    CODE(smtp_session_ehlo(in.session, NULL), 250);
    CHECK(in.calls > 1);
    CODE(in.busy, in.calls);
    smtp_session_free(in.session);
}

/* A handle that is in use lives until its call is over, and says nothing more. */
static void free_inside(void *user_data, int direction, const char *line)
{
    smtp_session **session = user_data;

    (void)direction, (void)line;
    smtp_session_close(*session);
    *session = NULL;
}

static void freed_inside(void)
{
    smtp_options *o = to_sink();
    smtp_session *s = NULL, *handle;

    smtp_options_set_transcript(o, free_inside, &s, NULL);
    CODE(smtp_session_open("127.0.0.1", port, o, &s), SMTP_OK);
    handle = s;
    CODE(smtp_session_noop(handle), SMTP_ERR_CANCELLED);
    CHECK(s == NULL);
    smtp_options_free(o);
}

/* A reader that fails midway: the server must not get a message. */
typedef struct {
    int64_t left, then;
    int released;
} failing;

static int64_t read_some(void *user_data, void *buffer, size_t size)
{
    failing *f = user_data;
    size_t n = size < 1000 ? size : 1000;

    if (f->left <= 0) return f->then;
    memset(buffer, 'x', n);
    if (n > 1) ((char *)buffer)[n - 1] = '\n';
    f->left -= (int64_t)n;
    return (int64_t)n;
}

static int cannot_rewind(void *user_data)
{
    (void)user_data;
    return 5;
}

static void release(void *user_data)
{
    ((failing *)user_data)->released++;
}

static void readers(void)
{
    static const int64_t wrong[] = { -1, -3, INT64_MIN, INT64_MAX, SMTP_READ_AGAIN };
    smtp_options *o = to_sink();
    smtp_session *s;
    smtp_result *r;
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        smtp_message *m = mail();
        failing f;

        f.left = 200000;
        f.then = wrong[i];
        f.released = 0;
        CODE(smtp_message_set_body_reader(m, read_some, cannot_rewind, &f, release, -1), SMTP_OK);
        CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_SOURCE);
        CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
        TEXT(smtp_result_error_step(r), "body");
        CODE(smtp_result_reply_code(r), 0);
        smtp_result_free(r);
        CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_SOURCE);
        PART(smtp_result_error(r), "the rewind function returned 5");
        smtp_result_free(r);
        smtp_message_free(m);
        CODE(f.released, 1);

        f.left = 200000;
        CODE(smtp_session_open("127.0.0.1", port, o, &s), SMTP_OK);
        CODE(smtp_session_helo(s, "c.example"), 250);
        CODE(smtp_session_mail(s, "a@b", NULL), 250);
        CODE(smtp_session_rcpt(s, "c@d", NULL), 250);
        CODE(smtp_session_data_reader(s, read_some, &f), SMTP_ERR_SOURCE);
        CODE(smtp_session_is_open(s), 0);
        smtp_session_close(s);
    }
    {
        smtp_message *m = mail();
        failing f = { 1000, 0, 0 };

        CODE(smtp_message_set_body_reader(m, read_some, NULL, &f, release, 1001), SMTP_OK);
        CODE(smtp_sendmessage(m, o, NULL), SMTP_ERR_SOURCE); /* fewer than promised */
        smtp_message_free(m);
    }
    smtp_options_free(o);
}

static void wrong_order(void)
{
    smtp_options *o = to_sink();
    smtp_message *m = smtp_message_new();
    smtp_session *s;
    smtp_result *r;

    CODE(smtp_session_open("127.0.0.1", port, o, &s), SMTP_OK);
    CODE(smtp_session_rcpt(s, "c@d", NULL), 503);
    CODE(smtp_session_data(s, "x", 1), 503);
    CODE(smtp_session_quit(s), 221);
    CODE(smtp_session_quit(s), SMTP_ERR_CLOSED);
    CODE(smtp_session_authenticate(s, "u", "p", NULL), SMTP_ERR_CLOSED);
    CODE(smtp_session_sendmessage(s, m, o, &r), SMTP_ERR_USAGE); /* nobody to send it to */
    smtp_result_free(r);
    smtp_session_close(s);

    CODE(smtp_session_open("127.0.0.1", 1, o, &s), SMTP_ERR_CONNECT);
    PART(smtp_session_error(s), "127.0.0.1:1");
    CODE(smtp_session_noop(s), SMTP_ERR_CLOSED);
    EMPTY(smtp_session_greeting(s));
    smtp_session_close(s);

    smtp_options_set(o, "originator", "a@b, c@d");
    smtp_message_set_header(m, "To", "x@y");
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "originator");
    smtp_result_free(r);
    smtp_message_free(m);
    smtp_options_free(o);
}

/* One message and one options, sent by many at once. */
typedef struct {
    smtp_message *message;
    smtp_options *options;
    int good;
} shared;

static void *send_many(void *argument)
{
    shared *s = argument;
    int i;

    for (i = 0; i < 10; i++) {
        smtp_result *r;

        s->good += smtp_sendmessage(s->message, s->options, &r) == SMTP_OK && *smtp_result_queue_id(r) != '\0';
        smtp_result_free(r);
    }
    return NULL;
}

static void count_line(void *user_data, int direction, const char *line)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    (void)direction, (void)line;
    pthread_mutex_lock(&mutex);
    ++*(int *)user_data;
    pthread_mutex_unlock(&mutex);
}

static void threads(void)
{
    enum { THREADS = 8 };
    pthread_t thread[THREADS];
    shared each[THREADS];
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    int i, lines = 0;

    smtp_options_set_transcript(o, count_line, &lines, NULL);
    for (i = 0; i < THREADS; i++) {
        each[i].message = m;
        each[i].options = o;
        each[i].good = 0;
        CODE(pthread_create(&thread[i], NULL, send_many, &each[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        CODE(each[i].good, 10);
    }
    CHECK(lines > THREADS * 10 * 8);
    smtp_options_free(o);
    smtp_message_free(m);
}

static void *trigger(void *cancel)
{
    pause_for(100);
    smtp_cancel_trigger(cancel);
    return NULL;
}

static void ended_early(void)
{
    smtp_cancel *cancel = smtp_cancel_new();
    smtp_message *m = mail();
    smtp_options *o = smtp_options_new();
    smtp_engine *e;
    smtp_result *r;
    pthread_t thread;
    unsigned short its_port;
    int fd = listener(&its_port);

    smtp_options_add_server(o, "127.0.0.1", its_port);
    smtp_options_set_cancel(o, cancel);
    CODE(pthread_create(&thread, NULL, trigger, cancel), 0);
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_CANCELLED);
    smtp_result_free(r);
    pthread_join(thread, NULL);

    smtp_cancel_reset(cancel);
    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CHECK(smtp_engine_timeout(e) <= 200);
    smtp_cancel_trigger(cancel);
    CODE(smtp_engine_timed_out(e), SMTP_OK);
    CODE(smtp_engine_result(e, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CANCELLED);
    smtp_result_free(r);
    smtp_engine_free(e);
    smtp_options_set_cancel(o, NULL);
    smtp_cancel_free(cancel);

    smtp_options_set(o, "timeout", "0.1");
    smtp_options_set(o, "connecttimeout", "0.1");
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_TIMEOUT);
    TEXT(smtp_result_error_step(r), "greeting");
    CODE(smtp_result_error_transient(r), 1);
    smtp_result_free(r);
    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CHECK(smtp_engine_timeout(e) <= 100);
    pause_for(120);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_timed_out(e), SMTP_OK);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_TIMEOUT);
    TEXT(smtp_result_error_step(r), "connect");
    smtp_result_free(r);
    smtp_engine_free(e);

    smtp_options_set(o, "timeout", "");
    smtp_options_set(o, "deadline", "0.1");
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_TIMEOUT);
    PART(smtp_result_error(r), "deadline");
    smtp_result_free(r);
    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    smtp_engine_connected(e, -1);
    pause_for(120);
    CODE(smtp_engine_timeout(e), 0);
    CODE(smtp_engine_timed_out(e), SMTP_OK);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_TIMEOUT);
    PART(smtp_result_error(r), "deadline");
    smtp_result_free(r);
    smtp_engine_free(e);

    smtp_options_free(o);
    smtp_message_free(m);
    close(fd);
}

/* A poll loop, with a reader that has nothing now and then. */
typedef struct {
    int count, pauses; /* calls of the reader, and how often the loop was told to wait for it */
} slow;

static int64_t read_slowly(void *user_data, void *buffer, size_t size)
{
    slow *s = user_data;

    (void)size;
    if (s->count == 44) return 0;
    if (s->count++ % 11 != 10) return SMTP_READ_AGAIN; /* one call may ask it several times */
    memcpy(buffer, "a line\n", 7);
    return 7;
}

static void loop(void)
{
    smtp_options *o = to_sink();
    smtp_message *m = mail();
    smtp_engine *e;
    smtp_result *r;
    slow s = { 0, 0 };
    inside in;
    char buffer[4096];
    int fd = -1;

    memset(&in, 0, sizeof in);
    smtp_options_set_transcript(o, call_back, &in, NULL);
    smtp_message_set_body_reader(m, read_slowly, NULL, &s, NULL, -1);
    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    in.engine = e;
    while (smtp_engine_action(e) != SMTP_DONE) {
        struct sockaddr_in address;
        struct pollfd p;
        const void *data;
        size_t length;
        int64_t wait;

        if (smtp_engine_action(e) == SMTP_DIAL) {
            memset(&address, 0, sizeof address);
            address.sin_family = AF_INET;
            address.sin_port = htons(smtp_engine_port(e));
            inet_pton(AF_INET, smtp_engine_host(e), &address.sin_addr);
            fd = socket(AF_INET, SOCK_STREAM, 0);
            CODE(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
            fcntl(fd, F_SETFL, O_NONBLOCK);
            smtp_engine_connected(e, fd);
            continue;
        }
        smtp_engine_output(e, &data, &length);
        if (length > 0) {
            ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
            if (n > 0) smtp_engine_output_done(e, (size_t)n);
            continue;
        }
        if (smtp_engine_waits_for_reader(e)) {
            s.pauses++;
            continue;
        }
        wait = smtp_engine_timeout(e);
        p.fd = fd;
        p.events = POLLIN;
        if (poll(&p, 1, wait < 0 || wait > 20000 ? 20000 : (int)wait) == 0) {
            smtp_engine_timed_out(e);
        } else {
            ssize_t n = recv(fd, buffer, sizeof buffer, 0);
            if (n > 0) smtp_engine_input(e, buffer, (size_t)n);
            else smtp_engine_eof(e);
        }
    }
    close(fd);
    CHECK(s.pauses > 0);
    CODE(s.count, 44);
    CHECK(in.calls > 5);
    CODE(in.busy, in.calls);
    CODE(smtp_engine_result(e, &r), SMTP_OK);
    smtp_result_free(r);
    smtp_engine_free(e);
    smtp_options_free(o);
    smtp_message_free(m);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    busy();
    freed_inside();
    readers();
    wrong_order();
    threads();
    ended_early();
    loop();
    return summary();
}
