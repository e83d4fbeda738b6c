/* Every function about mailers, each also with NULL for every pointer. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <poll.h>

static void mailers(void)
{
    smtp_message *m = smtp_message_new();
    smtp_options *o = smtp_options_new(), *bad = smtp_options_new();
    smtp_result *r = NULL;
    smtp_mailer *mailer = NULL;
    int64_t ticket = 0, sum = 0;
    int i;

    smtp_message_set_text(m, "hi\n", 3);
    smtp_options_add_server(o, "127.0.0.1", port);
    smtp_options_set(o, "recipients", "ann@a.example");
    smtp_options_set(o, "originator", "bo@b.example");
    CODE(smtp_options_set(o, "connections", "2"), SMTP_OK);
    CODE(smtp_options_set(o, "queuesize", "3"), SMTP_OK);
    CODE(smtp_mailer_new(o, &mailer, &r), SMTP_OK);
    CHECK(mailer != NULL && r == NULL);
    for (i = 1; i <= 20; i++) CODE(smtp_mailer_submit(mailer, m, NULL, &r), i);
    CHECK(r == NULL);
    CODE(smtp_mailer_drain(mailer, 20000), 1);
    CODE(smtp_mailer_count(mailer, SMTP_COUNT_ACCEPTED), 20);
    for (i = 1; i <= 20; i++) {
        CODE(smtp_mailer_next(mailer, -1, &ticket, &r), 1);
        CODE(smtp_result_status(r), SMTP_OK);
        CODE(smtp_result_attempt_count(r), 1);
        sum += ticket;
        smtp_result_free(r);
    }
    CODE(sum, 210);
    CODE(smtp_mailer_next(mailer, 0, &ticket, &r), 0);
    CHECK(r == NULL);

    /* Options of the message's own; a mistake is told at once. */
    smtp_options_set(bad, "recipients", "none");
    CODE(smtp_mailer_submit(mailer, m, bad, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "recipients");
    smtp_result_free(r);
    CODE(smtp_mailer_try_submit(mailer, m, bad, NULL), SMTP_ERR_USAGE);
    smtp_options_set(bad, "recipients", "no@a.example");
    CODE(smtp_mailer_try_submit(mailer, m, bad, &r), 21);
    CODE(smtp_mailer_next(mailer, 20000, &ticket, &r), 1);
    CODE(ticket, 21);
    CODE(smtp_result_status(r), SMTP_ERR_RECIPIENTS);
    smtp_result_free(r);
    CODE(smtp_mailer_count(mailer, SMTP_COUNT_SUBMITTED), 21);
    CODE(smtp_mailer_count(mailer, SMTP_COUNT_DECIDED), 21);
    CODE(smtp_mailer_count(mailer, SMTP_COUNT_REJECTED), 1);
    CODE(smtp_mailer_count(mailer, SMTP_COUNT_NOT_SENT), 0);
    CODE(smtp_mailer_count(mailer, SMTP_COUNT_UNKNOWN), 0);
    CODE(smtp_mailer_count(mailer, SMTP_COUNT_WAITING), 0);
    CHECK(smtp_mailer_count(mailer, SMTP_COUNT_CONNECTIONS) <= 2);
    CHECK(smtp_mailer_count(mailer, SMTP_COUNT_OPENED) >= 1);
    CODE(smtp_mailer_count(mailer, 99), 0);

    /* And of its one server. */
    PART(smtp_mailer_server(mailer, 0), ":");
    CHECK(smtp_mailer_server(mailer, 1) == NULL);
    CODE(smtp_mailer_server_count(mailer, 0, SMTP_SERVER_COUNT_ACCEPTED), 20);
    CODE(smtp_mailer_server_count(mailer, 0, SMTP_SERVER_COUNT_REJECTED), 1);
    CODE(smtp_mailer_server_count(mailer, 0, SMTP_SERVER_COUNT_UNKNOWN), 0);
    CODE(smtp_mailer_server_count(mailer, 0, SMTP_SERVER_COUNT_RETRIED), 0);
    CODE(smtp_mailer_server_count(mailer, 0, SMTP_SERVER_COUNT_UNDER_WAY), 0);
    CHECK(smtp_mailer_server_count(mailer, 0, SMTP_SERVER_COUNT_CONNECTIONS) <= 2);
    CHECK(smtp_mailer_server_count(mailer, 0, SMTP_SERVER_COUNT_OPENED) >= 1);
    CODE(smtp_mailer_server_count(mailer, 0, 99), 0);
    CODE(smtp_mailer_server_count(mailer, 1, SMTP_SERVER_COUNT_OPENED), 0);

    CODE(smtp_mailer_close(mailer, 20000), 1);
    CODE(smtp_mailer_submit(mailer, m, NULL, &r), SMTP_ERR_CLOSED);
    PART(smtp_result_error(r), "closed");
    smtp_result_free(r);
    CODE(smtp_mailer_next(mailer, -1, &ticket, &r), 0);
    smtp_mailer_free(mailer);

    /* A full queue, as its one message has nowhere to go; it is freed with it in it. */
    smtp_options_set(o, "servers", "127.0.0.1");
    smtp_options_set(o, "ports", "1");
    smtp_options_set(o, "queuesize", "1");
    smtp_options_set(o, "backoff", "60");
    CODE(smtp_mailer_new(o, &mailer, NULL), SMTP_OK);
    CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 1);
    CODE(smtp_mailer_try_submit(mailer, m, NULL, &r), SMTP_ERR_FULL);
    PART(smtp_result_error(r), "queuesize");
    smtp_result_free(r);
    CODE(smtp_mailer_drain(mailer, 10), 0);
    CODE(smtp_mailer_close(mailer, 0), 0);
    CODE(smtp_mailer_next(mailer, 20000, &ticket, &r), 1);
    CODE(smtp_result_status(r), SMTP_ERR_CANCELLED);
    smtp_result_free(r);
    smtp_mailer_free(mailer);

    smtp_options_set(bad, "servers", "a b:c");
    CODE(smtp_mailer_new(bad, &mailer, &r), SMTP_ERR_USAGE);
    CHECK(mailer == NULL);
    PART(smtp_result_error(r), "servers");
    smtp_result_free(r);

    CODE(smtp_mailer_new(o, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_mailer_submit(NULL, m, NULL, &r), SMTP_ERR_NULL);
    CODE(smtp_mailer_try_submit(NULL, m, NULL, &r), SMTP_ERR_NULL);
    CODE(smtp_mailer_new(o, &mailer, NULL), SMTP_OK);
    CODE(smtp_mailer_submit(mailer, NULL, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_mailer_next(mailer, 0, NULL, &r), SMTP_ERR_NULL);
    CODE(smtp_mailer_next(mailer, 0, &ticket, NULL), SMTP_ERR_NULL);
    CODE(smtp_mailer_next(NULL, 0, &ticket, &r), SMTP_ERR_NULL);
    CODE(smtp_mailer_drain(NULL, 0), SMTP_ERR_NULL);
    CODE(smtp_mailer_close(NULL, 0), SMTP_ERR_NULL);
    CODE(smtp_mailer_count(NULL, SMTP_COUNT_OPENED), 0);
    CHECK(smtp_mailer_server(NULL, 0) == NULL);
    CODE(smtp_mailer_server_count(NULL, 0, SMTP_SERVER_COUNT_OPENED), 0);
    smtp_mailer_free(mailer);
    smtp_mailer_free(NULL);
    smtp_options_free(o);
    smtp_options_free(bad);
    smtp_message_free(m);
}

static int readable(int fd, int wait)
{
    struct pollfd p;

    p.fd = fd;
    p.events = POLLIN;
    p.revents = 0;
    return poll(&p, 1, wait) == 1;
}

/* The mailer's descriptor is readable while results wait. */
static void descriptor(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_port(port);
    smtp_mailer *mailer = NULL;
    int64_t ticket;
    int fd = -1, taken = 0, round;

    CODE(smtp_mailer_new(o, &mailer, NULL), SMTP_OK);
    for (round = 0; round < 2; round++) {
        smtp_result *r = NULL;

        if (round == 0) { /* asked for late, it knows what waits */
            CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 1);
            CODE(smtp_mailer_drain(mailer, HANGS), 1);
            fd = smtp_mailer_fd(mailer);
            CHECK(fd >= 0);
            CHECK(readable(fd, 0));
        } else {
            CODE(smtp_mailer_fd(mailer), fd);
            CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 2);
            CODE(smtp_mailer_submit(mailer, m, NULL, NULL), 3);
        }
        while (taken < 1 + 2 * round) {
            CHECK(readable(fd, HANGS));
            while (smtp_mailer_next(mailer, 0, &ticket, &r) == 1) {
                CODE(smtp_result_status(r), SMTP_OK);
                smtp_result_free(r);
                taken++;
            }
        }
        CHECK(!readable(fd, 0));
    }
    smtp_mailer_free(mailer);
    smtp_message_free(m);
    smtp_options_free(o);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    mailers();
    descriptor();
    return summary();
}
