/* Whole sends, and every function about results. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is asked of a result for anything that it does not have, and of none. */
static void nothing(const smtp_result *r, size_t i)
{
    EMPTY(smtp_result_refused_address(r, i));
    CODE(smtp_result_refused_reply_code(r, i), 0);
    EMPTY(smtp_result_refused_reply_enhanced(r, i));
    EMPTY(smtp_result_refused_reply_text(r, i));
    EMPTY(smtp_result_recipient_address(r, i));
    CODE(smtp_result_recipient_outcome(r, i), 0);
    EMPTY(smtp_result_recipient_step(r, i));
    CODE(smtp_result_recipient_reply_code(r, i), 0);
    EMPTY(smtp_result_recipient_reply_enhanced(r, i));
    EMPTY(smtp_result_recipient_reply_text(r, i));
    EMPTY(smtp_result_used(r, i));
    EMPTY(smtp_result_avoided(r, i));
    EMPTY(smtp_result_attempt_server(r, i));
    EMPTY(smtp_result_attempt_peer(r, i));
    EMPTY(smtp_result_attempt_error(r, i));
    EMPTY(smtp_result_attempt_error_kind(r, i));
    EMPTY(smtp_result_attempt_error_step(r, i));
    CODE(smtp_result_attempt_error_reply_code(r, i), 0);
    EMPTY(smtp_result_attempt_error_reply_enhanced(r, i));
    CODE(smtp_result_attempt_error_transient(r, i), 0);
    CODE(smtp_result_attempt_tls_verified(r, i), -1);
    CODE(smtp_result_attempt_tls_resumed(r, i), -1);
    EMPTY(smtp_result_attempt_tls_why_not(r, i));
    EMPTY(smtp_result_attempt_tls_certificate_sha256(r, i));
    EMPTY(smtp_result_attempt_tls_version(r, i));
    EMPTY(smtp_result_attempt_tls_cipher(r, i));
    EMPTY(smtp_result_attempt_policy(r, i));
    CODE(smtp_result_attempt_login_count(r, i), 0);
    EMPTY(smtp_result_attempt_login_mechanism(r, i, 0));
    EMPTY(smtp_result_attempt_login_error(r, i, 0));
}

/* Connects to the sink, whatever it is asked for; the second server of a list only. */
static int dials(void *user_data, const char *host, int its_port, int64_t timeout, char *why, size_t size)
{
    struct sockaddr_in address;
    int *calls = user_data, fd;

    CHECK(timeout > 0 && timeout <= 30000);
    CODE(its_port, 2525);
    if (++*calls == 1) {
        TEXT(host, "one.invalid");
        snprintf(why, size, "the tunnel is down");
        return -1;
    }
    TEXT(host, "two.invalid");
    fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    CODE(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void released(void *user_data)
{
    *(int *)user_data += 100;
}

static void watch(smtp_engine *e)
{
    while (smtp_engine_ready(e, 0) == SMTP_EXCHANGE) {
        struct pollfd p;

        p.fd = smtp_engine_fd(e);
        p.events = (short)((smtp_engine_interest(e) & SMTP_READ ? POLLIN : 0) | (smtp_engine_interest(e) & SMTP_WRITE ? POLLOUT : 0));
        poll(&p, 1, (int)smtp_engine_timeout(e));
    }
}

static int dials_nothing(void *user_data, const char *host, int to, int64_t timeout, char *why, size_t size)
{
    (void)host, (void)to, (void)timeout, (void)why, (void)size;
    return *(int *)user_data;
}

static void by_a_dialler_without_a_socket(void)
{
    static const char *const whys[] = {"the function returned 900, which is not an open socket", "the function returned -1"};
    int given[] = {900, -1};
    size_t i;

    for (i = 0; i < 2; i++) {
        smtp_options *o = smtp_options_new();
        smtp_message *m = mail();
        smtp_result *r = NULL;

        smtp_options_add_server(o, "one.invalid", 2525);
        smtp_options_set_dialler(o, dials_nothing, &given[i], NULL);
        CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_CONNECT);
        PART(smtp_result_error(r), whys[i]);
        smtp_result_free(r);
        smtp_options_free(o);
        smtp_message_free(m);
    }
}

static void by_a_dialler(void)
{
    smtp_options *o = smtp_options_new();
    smtp_message *m = mail();
    smtp_result *r = NULL;
    smtp_engine *e = NULL;
    int calls = 0;

    smtp_options_add_server(o, "one.invalid", 2525);
    smtp_options_add_server(o, "two.invalid", 2525);
    smtp_options_set(o, "client", "client.example");
    CODE(smtp_options_set_dialler(o, dials, &calls, released), SMTP_OK);
    CODE(smtp_sendmessage(m, o, &r), SMTP_OK);
    CODE(calls, 2);
    TEXT(smtp_result_attempt_error_kind(r, 0), "connect");
    PART(smtp_result_attempt_error(r, 0), "the tunnel is down");
    smtp_result_free(r);
    calls = 0;
    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    watch(e);
    CODE(smtp_engine_result(e, &r), SMTP_OK);
    CODE(calls, 2);
    smtp_engine_free(e);
    smtp_result_free(r);
    r = NULL;
    smtp_options_set(o, "localaddress", "127.0.0.1");
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "`dialler`");
    smtp_result_free(r);
    smtp_options_free(o);
    CODE(calls, 102);
    smtp_message_free(m);
    CODE(smtp_options_set_dialler(NULL, dials, &calls, released), SMTP_ERR_NULL);
    CODE(calls, 202);
}

/* An agent that says its greeting, and then its goodbye, when nobody is there any more. */
static void left_by_the_client(void)
{
    smtp_options *o = smtp_options_new();
    smtp_message *m = mail();
    int i;

    CODE(smtp_options_add_server(o, "null:", 0), SMTP_OK);
    for (i = 0; i < 100; i++) {
        smtp_engine *e = NULL;

        CODE(smtp_engine_new(m, o, &e), SMTP_OK);
        if (i % 2 == 0) smtp_engine_ready(e, 0);
        else watch(e);
        smtp_engine_free(e);
    }
    smtp_options_free(o);
    smtp_message_free(m);
}

typedef struct {
    uint64_t octets;
    int64_t total;
    int calls, wrong, released;
} told;

static void tells(void *user_data, uint64_t number, const char *tag, uint64_t octets, int64_t total)
{
    told *t = user_data;

    if (number != 0 || tag == NULL || strcmp(tag, "job 7") != 0 || octets <= t->octets) t->wrong++;
    t->octets = octets;
    t->total = total;
    t->calls++;
}

static void told_no_more(void *user_data)
{
    ((told *)user_data)->released++;
}

static void with_progress(void)
{
    smtp_options *o = to_sink();
    smtp_message *m = mail();
    smtp_result *r = NULL;
    told t = { 0, 0, 0, 0, 0 };
    char *data = malloc(300000);

    memset(data, 7, 300000);
    CODE(smtp_message_attach(m, "large", NULL, data, 300000), SMTP_OK);
    free(data);
    CODE(smtp_options_set(o, "tag", "job 7"), SMTP_OK);
    CODE(smtp_options_set_progress(o, tells, &t, told_no_more), SMTP_OK);
    CODE(smtp_sendmessage(m, o, &r), SMTP_OK);
    CHECK(t.calls > 2);
    CODE(t.wrong, 0);
    CHECK(t.octets > 300000 && t.octets == (uint64_t)smtp_result_octets(r) && t.total == (int64_t)t.octets);
    smtp_result_free(r);
    smtp_message_free(m);
    smtp_options_free(o);
    CODE(t.released, 1);
    CODE(smtp_options_set_progress(NULL, tells, &t, told_no_more), SMTP_ERR_NULL);
    CODE(t.released, 2);
}

static void without_network(void)
{
    smtp_options *o = smtp_options_new();
    smtp_message *m = mail();
    smtp_result *r = NULL;
    smtp_engine *e = NULL;

#ifdef _WIN32
    CODE(smtp_options_add_server(o, "file:C:/nowhere/at/all", 0), SMTP_OK);
#else
    CODE(smtp_options_add_server(o, "file:/nowhere/at/all", 0), SMTP_OK);
#endif
    CODE(smtp_options_add_server(o, "null:", 0), SMTP_OK);
    smtp_options_set_login(o, "ann", "secret");
    smtp_options_set(o, "tlsrequired", "1");
    CODE(smtp_sendmessage(m, o, &r), SMTP_OK);
    CODE(smtp_result_attempt_count(r), 2);
    TEXT(smtp_result_attempt_error_kind(r, 0), "connect");
    PART(smtp_result_reply_text(r), "Thrown away");
    smtp_result_free(r);
    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    watch(e);
    CODE(smtp_engine_result(e, &r), SMTP_OK);
    smtp_result_free(r);
    smtp_engine_free(e);
    smtp_message_free(m);
    smtp_options_free(o);
}

static void no_result(void)
{
    nothing(NULL, 0);
    CODE(smtp_result_status(NULL), SMTP_ERR_NULL);
    CODE(smtp_result_sent(NULL), 0);
    CODE(smtp_result_refused_count(NULL), 0);
    CODE(smtp_result_recipient_count(NULL), 0);
    EMPTY(smtp_result_queue_id(NULL));
    CODE(smtp_result_reply_code(NULL), 0);
    EMPTY(smtp_result_reply_enhanced(NULL));
    EMPTY(smtp_result_reply_text(NULL));
    CODE(smtp_result_octets(NULL), 0);
    CODE(smtp_result_used_count(NULL), 0);
    CODE(smtp_result_avoided_count(NULL), 0);
    EMPTY(smtp_result_json(NULL));
    EMPTY(smtp_result_error(NULL));
    EMPTY(smtp_result_error_kind(NULL));
    EMPTY(smtp_result_error_step(NULL));
    EMPTY(smtp_result_error_server(NULL));
    CODE(smtp_result_error_reply_code(NULL), 0);
    EMPTY(smtp_result_error_reply_enhanced(NULL));
    EMPTY(smtp_result_error_reply_text(NULL));
    CODE(smtp_result_error_transient(NULL), 0);
    CODE(smtp_result_attempt_count(NULL), 0);
    smtp_result_free(NULL);
}

/* One that the program makes, of what the library never had. */
static void given_up(void)
{
    smtp_result *r = (smtp_result *)1;

    CODE(smtp_result_new(SMTP_ERR_CANCELLED, "given up", NULL), SMTP_ERR_NULL);
    CODE(smtp_result_new(SMTP_OK, "given up", &r), SMTP_ERR_USAGE);
    CHECK(r == NULL);
    CODE(smtp_result_new(SMTP_ERR_CANCELLED, "given up \xff", &r), SMTP_OK);
    CODE(smtp_result_status(r), SMTP_ERR_CANCELLED);
    TEXT(smtp_result_error_kind(r), "cancelled");
    PART(smtp_result_error(r), "given up");
    CODE(smtp_result_sent(r), 0);
    nothing(r, 0);
    TEXT(smtp_value_text(smtp_value_find(smtp_result_value(r), "status")), "cancelled");
    smtp_result_free(r);
    CODE(smtp_result_new(SMTP_ERR_UNKNOWN, NULL, &r), SMTP_OK);
    TEXT(smtp_result_error_step(r), "final");
    PART(smtp_result_error(r), "may have been delivered");
    smtp_result_free(r);
    CODE(smtp_result_new(SMTP_ERR_BUSY, "in use", &r), SMTP_OK);
    CODE(smtp_result_status(r), SMTP_ERR_USAGE);
    TEXT(smtp_result_error_step(r), "setup");
    smtp_result_free(r);
}

/* What the sink offers, and that there is no server where there is none; by blocking and by an engine. */
static void verifying(void)
{
    smtp_options *o = to_sink();
    smtp_engine *e;
    smtp_result *r;
    const smtp_value *v;

    CODE(smtp_verify(o, &r), SMTP_OK);
    CODE(smtp_result_status(r), SMTP_OK);
    CODE(smtp_result_recipient_count(r), 0);
    CODE(smtp_result_attempt_count(r), 1);
    v = smtp_result_value(r);
    CODE(smtp_value_number(smtp_value_find(v, "attempts.0.offered.greeting.code")), 220);
    CHECK(smtp_value_count(smtp_value_find(v, "attempts.0.offered.extensions")) > 0);
    TEXT(smtp_value_text(smtp_value_find(v, "attempts.0.offered.extensions.0.keyword")), "PIPELINING");
    PART(smtp_result_json(r), "{\"keyword\":\"PIPELINING\",\"parameters\":\"\"}");
    smtp_result_free(r);
    CODE(smtp_verify(o, NULL), SMTP_OK);

    CODE(smtp_engine_new_verify(o, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_new_verify(o, &e), SMTP_OK);
    CODE(done(e), 1);
    CODE(smtp_engine_result(e, &r), SMTP_OK);
    CODE(smtp_value_number(smtp_value_find(smtp_result_value(r), "attempts.0.offered.greeting.code")), 220);
    smtp_result_free(r);
    smtp_engine_free(e);

    smtp_options_set(o, "connections", "2");
    CODE(smtp_verify(o, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "connections");
    smtp_result_free(r);
    smtp_options_free(o);
}

static void sending(void)
{
    smtp_message *m = mail_to(ONE_REFUSED);
    smtp_options *o = to_sink();
    smtp_cancel *cancel = smtp_cancel_new();
    smtp_result *r;
    size_t heard = 0;

    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_RECIPIENTS);
    CODE(smtp_result_status(r), SMTP_ERR_RECIPIENTS);
    CODE(smtp_result_sent(r), 0);
    PART(smtp_result_error(r), ": rcpt: 1 of 2 recipients was refused, and nobody got the message: no@b.example: 550 5.1.1 No ");
    TEXT(smtp_result_error_kind(r), "recipients");
    TEXT(smtp_result_error_step(r), "rcpt");
    CODE(smtp_result_error_reply_code(r), 550);
    CODE(smtp_result_error_transient(r), 0);
    CODE(smtp_result_refused_count(r), 1);
    TEXT(smtp_result_refused_address(r, 0), "no@b.example");
    CODE(smtp_result_refused_reply_code(r, 0), 550);
    TEXT(smtp_result_refused_reply_enhanced(r, 0), "5.1.1");
    TEXT(smtp_result_refused_reply_text(r, 0), "No such user");
    smtp_result_free(r);

    smtp_options_set(o, "atleastone", "1");
    smtp_options_set_transcript(o, on_line, &heard, NULL);
    CODE(smtp_sendmessage(m, o, &r), SMTP_PARTIAL);
    CHECK(heard > 200);
    CODE(smtp_result_sent(r), 1);
    CODE(smtp_result_recipient_count(r), 2);
    TEXT(smtp_result_recipient_address(r, 0), "bob@b.example");
    CODE(smtp_result_recipient_outcome(r, 0), SMTP_ACCEPTED);
    TEXT(smtp_result_recipient_step(r, 0), "final");
    CODE(smtp_result_recipient_reply_code(r, 0), 250);
    TEXT(smtp_result_recipient_reply_enhanced(r, 0), "2.0.0");
    PART(smtp_result_recipient_reply_text(r, 0), "queued as");
    CODE(smtp_result_recipient_outcome(r, 1), SMTP_REJECTED);
    CHECK(strlen(smtp_result_queue_id(r)) == 8);
    CODE(smtp_result_reply_code(r), 250);
    TEXT(smtp_result_reply_enhanced(r), "2.0.0");
    CODE(strncmp(smtp_result_reply_text(r), "Ok: queued as", 13), 0);
    CHECK(smtp_result_octets(r) > 100);
    CHECK(smtp_result_used_count(r) > 0);
    CODE(smtp_result_avoided_count(r), 0);
    CHECK(smtp_result_used(r, 0)[0] != '\0');
    CODE(smtp_result_attempt_count(r), 1);
    PART(smtp_result_attempt_server(r, 0), "127.0.0.1:");
    PART(smtp_result_attempt_peer(r, 0), "127.0.0.1:");
    EMPTY(smtp_result_attempt_error(r, 0));
    CODE(smtp_result_attempt_tls_verified(r, 0), -1);
    PART(smtp_result_json(r), "\"queue_id\":\"");
    PART(smtp_result_json(r), "\"status\":\"partial\"");
    nothing(r, 2);
    smtp_result_free(r);

    CODE(smtp_sendmessage(m, o, NULL), SMTP_PARTIAL);
    CODE(smtp_options_set(o, "recipients", "bob@b.example"), SMTP_OK);
    CODE(smtp_sendmessage(m, o, NULL), SMTP_OK);

    smtp_options_set_cancel(o, cancel);
    smtp_cancel_trigger(cancel);
    CODE(smtp_sendmessage(m, o, NULL), SMTP_ERR_CANCELLED);
    smtp_cancel_reset(cancel);
    smtp_cancel_free(cancel);
    CODE(smtp_sendmessage(m, o, NULL), SMTP_OK);

    smtp_options_set_login(o, "user", "secret");
    CODE(smtp_sendmessage(m, o, &r), SMTP_ERR_LOGIN);
    TEXT(smtp_result_error_kind(r), "login");
    TEXT(smtp_result_error_step(r), "auth");
    PART(smtp_result_error_server(r), "127.0.0.1:");
    CODE(smtp_result_error_reply_code(r), 0);
    EMPTY(smtp_result_error_reply_enhanced(r));
    EMPTY(smtp_result_error_reply_text(r));
    CODE(smtp_result_error_transient(r), 0);
    TEXT(smtp_result_attempt_error_kind(r, 0), "login");
    TEXT(smtp_result_attempt_error_step(r, 0), "auth");
    PART(smtp_result_json(r), "\"kind\":\"login\"");
    smtp_result_free(r);

    CODE(smtp_sendmessage(NULL, o, &r), SMTP_ERR_NULL);
    CHECK(r == NULL);
    CODE(smtp_sendmessage(m, o, NULL), SMTP_ERR_LOGIN);
    smtp_message_delete_header(m, "To");
    CODE(smtp_sendmessage(m, NULL, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "recipient");
    smtp_result_free(r);
    smtp_options_free(o);
    smtp_message_free(m);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    no_result();
    given_up();
    verifying();
    sending();
    by_a_dialler();
    by_a_dialler_without_a_socket();
    left_by_the_client();
    with_progress();
    without_network();
    return summary();
}
