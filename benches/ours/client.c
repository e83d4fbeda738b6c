/* libsmtp through its C functions. See benches/README.md for the arguments. */
#include <libsmtp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tools/task.h"

static struct task task;
static smtp_message *message;
static smtp_options *options;

static size_t given;

/* What option commit was asked: so often, for so many messages. */
static long calls, asked;

static int count(void *unused, smtp_ready *ready)
{
    (void)unused;
    calls++;
    asked += (long)smtp_ready_count(ready);
    return 0;
}

/* A large message comes from a reader, as a caller would do it who minds the memory. */
static int64_t give(void *unused, void *buffer, size_t size)
{
    (void)unused;
    if (size > task.octets - given) size = task.octets - given;
    memcpy(buffer, task.body + given, size);
    given += size;
    return (int64_t)size;
}

static int again(void *unused)
{
    (void)unused;
    given = 0;
    return 0;
}

static int failed(const char *why)
{
    fprintf(stderr, "%s\n", why);
    return 1;
}

static int send_one(smtp_session *session)
{
    smtp_result *result = NULL;
    int status = session ? smtp_session_sendmessage(session, message, options, &result)
                         : smtp_sendmessage(message, options, &result);

    if (status != SMTP_OK) failed(smtp_result_error(result));
    smtp_result_free(result);
    return status != SMTP_OK;
}

/* What all messages are sent by; `made`: their envelope is in their header section. */
static smtp_options *make_options(int made)
{
    smtp_options *own = smtp_options_new();
    char text[64];
    long n;

    sprintf(text, "127.0.0.1:%u", task.port);
    smtp_options_set(own, "servers", text);
    smtp_options_set(own, "client", "client.example.test");
    if (!made) smtp_options_set_originator(own, "from@example.test");
    for (n = 0; !made && n < task.recipients; n++) {
        sprintf(text, "to%ld@example.test", n);
        smtp_options_add_recipient(own, text);
    }
    smtp_options_set(own, "usetls", strcmp(task.tls, "no") ? "1" : "0");
    if (strcmp(task.tls, "no")) {
        smtp_options_set(own, "tlsrequired", "1");
        smtp_options_set(own, "tlscafile", task.certificate);
    }
    if (strcmp(task.tls, "wrap") == 0) smtp_options_set(own, "tlsimport", "1");
    return own;
}

/* Single sends on one session. */
static int single(long messages)
{
    smtp_session *session;
    int status = smtp_session_open("127.0.0.1", task.port, options, &session);

    if (status != SMTP_OK) failed(smtp_session_error(session));
    for (; status == SMTP_OK && messages > 0; messages--) status = send_one(session);
    smtp_session_close(session);
    return status != SMTP_OK;
}

static int next(void *left, const smtp_message **out, const smtp_options **unused)
{
    (void)unused;
    *out = message;
    return (*(long *)left)-- > 0;
}

/* The same message for the next recipient of a list. */
static int next_reader(void *left, const smtp_message **out, const smtp_options **whom)
{
    char recipient[48];

    sprintf(recipient, "to%ld@example.test", *(long *)left);
    if (smtp_options_set_recipients(options, recipient) != SMTP_OK) return -1;
    *whom = options;
    return next(left, out, whom);
}

static void sent(void *unused, uint64_t number, int status, const smtp_result *result)
{
    (void)unused;
    (void)number;
    if (status != SMTP_OK) failed(smtp_result_error(result));
}

/* Puts a message together, as a program does that has its words. */
static int make(void)
{
    smtp_message_free(message);
    message = smtp_message_new();
    return smtp_message_set_header(message, "From", "Benchmark <from@example.test>") != SMTP_OK ||
           smtp_message_set_header(message, "To", "to@example.test") != SMTP_OK ||
           smtp_message_set_header(message, "Subject", "a message") != SMTP_OK ||
           smtp_message_set_text(message, task.body + strlen(HEAD), task.octets - strlen(HEAD)) != SMTP_OK;
}

static int next_made(void *left, const smtp_message **out, const smtp_options **unused)
{
    return make() ? -1 : next(left, out, unused);
}

static int keep(void *end, const void *data, size_t size)
{
    memcpy(*(char **)end, data, size);
    *(char **)end += size;
    return 0;
}

/* Messages that are put together and written to memory, where no server has a part in it. */
static int written(long messages)
{
    char *out = malloc(task.octets + 1024), *end;

    for (; out && messages > 0; messages--) {
        end = out;
        if (make() || smtp_message_write(message, keep, &end) != SMTP_OK) break;
    }
    free(out);
    return messages > 0 ? failed(smtp_message_error(message)) : 0;
}

/* One message with a field of each of so many names. */
static int names(long count)
{
    char name[32];

    smtp_message_free(message);
    message = smtp_message_new();
    for (; count > 0; count--) {
        sprintf(name, "X-%ld", count);
        if (smtp_message_set_header(message, name, "a value") != SMTP_OK) break;
    }
    if (count > 0 || smtp_message_set_text(message, "text", 4) != SMTP_OK) return failed(smtp_message_error(message));
    return 0;
}

/* A batch on one session. */
static int batch(long messages, smtp_next_fn source)
{
    smtp_session *session;
    int status = smtp_session_open("127.0.0.1", task.port, options, &session);

    if (status != SMTP_OK) failed(smtp_session_error(session));
    else status = smtp_session_send_many(session, source, sent, &messages);
    smtp_session_close(session);
    return status != SMTP_OK;
}

/* A connection for each message. */
static int each(void)
{
    long n;

    for (n = 0; n < task.messages; n++)
        if (send_one(NULL)) return 1;
    return 0;
}

/* The same, with options that are made for each. */
static int fresh(void)
{
    long n;

    for (n = 0; n < task.messages; n++) {
        smtp_options_free(options);
        options = make_options(0);
        if (send_one(NULL)) return 1;
    }
    return 0;
}

/* Waits for what the engine wants to know, and lets it go on. */
static void turn(smtp_engine *engine)
{
    int interest = smtp_engine_interest(engine);
    struct pollfd fd = {.fd = smtp_engine_fd(engine)};

    fd.events = (short)((interest & SMTP_READ ? POLLIN : 0) | (interest & SMTP_WRITE ? POLLOUT : 0));
    poll(&fd, 1, (int)smtp_engine_timeout(engine));
    smtp_engine_ready(engine, (fd.revents & ~POLLOUT ? SMTP_READ : 0) | (fd.revents & POLLOUT ? SMTP_WRITE : 0));
}

/* Single sends on one session, in an event loop of the program's. */
static int loop(void)
{
    smtp_engine *engine;
    smtp_result *result;
    int64_t ticket, answered;
    long n;
    int status = smtp_engine_new_session("127.0.0.1", task.port, options, &engine);

    for (n = 0; status == SMTP_OK && n < task.messages; n++) {
        ticket = smtp_engine_ask_sendmessage(engine, message, options);
        if (ticket < 0) {
            failed(smtp_engine_ask_error(engine));
            break;
        }
        do {
            while (smtp_engine_answer(engine, &answered) == 0) turn(engine);
        } while (answered != ticket);
        status = smtp_engine_answer_result(engine, &result);
        if (status != SMTP_OK) failed(smtp_result_error(result));
        smtp_result_free(result);
    }
    smtp_engine_part(engine);
    while (smtp_engine_action(engine) != SMTP_DONE) turn(engine);
    smtp_engine_free(engine);
    return n < task.messages || status != SMTP_OK;
}

/* A mailer, which has one thread for all connections. */
static int queue(void)
{
    smtp_mailer *mailer;
    smtp_result *result;
    char text[32];
    int64_t ticket;
    long n, good = 0;

    sprintf(text, "%ld", task.connections);
    smtp_options_set(options, "connections", text);
    if (smtp_mailer_new(options, &mailer, &result) != SMTP_OK) return failed(smtp_result_error(result));
    for (n = 0; n < task.messages; n++) {
        if (smtp_mailer_submit(mailer, message, NULL, NULL) < 0) break;
        while (smtp_mailer_next(mailer, 0, &ticket, &result) == 1) {
            good += smtp_result_status(result) == SMTP_OK;
            smtp_result_free(result);
        }
    }
    smtp_mailer_close(mailer, -1);
    while (smtp_mailer_next(mailer, 0, &ticket, &result) == 1) {
        good += smtp_result_status(result) == SMTP_OK;
        smtp_result_free(result);
    }
    smtp_mailer_free(mailer);
    return good != task.messages;
}

/* The queue of a mailer whose server never greets: all messages are in memory at the same time. */
static int hoard(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t size = sizeof here;
    smtp_mailer *mailer;
    smtp_result *result;
    char text[32];
    long n;
    int silent = socket(AF_INET, SOCK_STREAM, 0);

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (silent < 0 || bind(silent, (struct sockaddr *)&here, sizeof here) || listen(silent, 8)
        || getsockname(silent, (struct sockaddr *)&here, &size)) return failed("no server");
    sprintf(text, "127.0.0.1:%u", ntohs(here.sin_port));
    smtp_options_set(options, "servers", text);
    sprintf(text, "%ld", task.messages + 1);
    smtp_options_set(options, "queuesize", text);
    if (smtp_mailer_new(options, &mailer, &result) != SMTP_OK) return failed(smtp_result_error(result));
    for (n = 0; n < task.messages; n++) {
        if (smtp_mailer_submit(mailer, message, NULL, NULL) < 0) break;
    }
    smtp_mailer_free(mailer);
    close(silent);
    return n < task.messages;
}

static void *run(void *number)
{
    return single(TASK_SHARE(task, *(long *)number)) ? &task : NULL;
}

/* One thread for each connection. */
static int parallel(void)
{
    pthread_attr_t small;
    pthread_t *threads = calloc((size_t)task.connections, sizeof *threads);
    long *numbers = calloc((size_t)task.connections, sizeof *numbers), n, begun;
    void *bad;
    int status = 0;

    if (!threads || !numbers) return 1;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    for (begun = 0; begun < task.connections; begun++) {
        numbers[begun] = begun;
        if (pthread_create(&threads[begun], &small, run, &numbers[begun])) break;
    }
    for (n = 0; n < begun; n++) {
        pthread_join(threads[n], &bad);
        status |= bad != NULL;
    }
    free(threads);
    free(numbers);
    return status || begun < task.connections;
}

int main(int argc, char **argv)
{
    int status, made;

    if (!task_read(&task, argc, argv)) return 2;
    made = strcmp(task.mode, "made") == 0;
    options = make_options(made);
    message = smtp_message_new();
    if (task.octets > 1 << 20 && strcmp(task.mode, "memory") && strcmp(task.mode, "chunks")) {
        smtp_message_set_message_reader(message, give, again, NULL, NULL, (int64_t)task.octets);
    } else {
        smtp_message_set_message(message, task.body, task.octets);
    }
    if (strncmp(task.mode, "committed-", 10) == 0) {
        if (smtp_options_set_commit(options, count, NULL, NULL) != SMTP_OK) return 2;
        task.mode += 10;
    }
    if (strcmp(task.mode, "single") == 0 || strcmp(task.mode, "memory") == 0) status = single(task.messages);
    else if (strcmp(task.mode, "chunks") == 0)
        status = smtp_options_set(options, "chunking", "on") == SMTP_OK ? single(task.messages) : NOT_HERE;
    else if (strcmp(task.mode, "batch") == 0) status = batch(task.messages, next);
    else if (made) status = batch(task.messages, next_made);
    else if (strcmp(task.mode, "newsletter") == 0) status = batch(task.messages, next_reader);
    else if (strcmp(task.mode, "written") == 0) status = written(task.messages);
    else if (strcmp(task.mode, "names") == 0) status = names(task.messages);
    else if (strcmp(task.mode, "window") == 0)
        status = smtp_options_set(options, "pipelining", "full") == SMTP_OK ? batch(task.messages, next) : NOT_HERE;
    else if (strcmp(task.mode, "loop") == 0) status = loop();
    else if (strcmp(task.mode, "each") == 0) status = each();
    else if (strcmp(task.mode, "fresh") == 0) status = fresh();
    else if (strcmp(task.mode, "parallel") == 0) status = parallel();
    else if (strcmp(task.mode, "queue") == 0) status = queue();
    else if (strcmp(task.mode, "hoard") == 0) status = hoard();
    else status = NOT_HERE;
    if (calls) printf("commit: %ld calls for %ld messages\n", calls, asked);
    smtp_message_free(message);
    smtp_options_free(options);
    free(task.body);
    return status;
}
