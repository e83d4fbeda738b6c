/* Every function about sessions, each also with NULL for every pointer. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <unistd.h>

/* A batch of COUNT messages; the third has options of its own, and what stands at STOP is the end. */
struct batch {
    const smtp_message *message;
    const smtp_options *options;
    int count, stop, given, told, accepted, partial, refused;
};

static int next_message(void *user_data, const smtp_message **message, const smtp_options **options)
{
    struct batch *b = user_data;

    if (b->given == b->count) return b->stop;
    *message = b->message;
    if (b->given++ == 2) *options = b->options;
    return 1;
}

static void told(void *user_data, uint64_t number, int status, const smtp_result *result)
{
    struct batch *b = user_data;

    CHECK(number == (uint64_t)b->told);
    CODE(smtp_result_status(result), status);
    b->told++;
    b->accepted += status == SMTP_OK;
    b->partial += status == SMTP_PARTIAL;
    b->refused += status == SMTP_ERR_RECIPIENTS;
}

static void batches(smtp_session *s, const smtp_message *m, const smtp_options *one_is_enough)
{
    smtp_message *good = smtp_message_new();
    struct batch b = {0};

    /* M has a recipient who is refused. */
    b.message = m;
    b.options = one_is_enough;
    b.count = 100;
    CODE(smtp_session_send_many(s, next_message, told, &b), SMTP_PARTIAL);
    CODE(b.told, 100);
    CODE(b.partial, 1);
    CODE(b.refused, 99);

    memset(&b, 0, sizeof b);
    smtp_message_set_text(good, "Hi.", 3);
    smtp_message_set_header(good, "From", "a@b.example");
    smtp_message_set_header(good, "To", "c@d.example");
    b.message = good;
    b.count = 3;
    CODE(smtp_session_send_many(s, next_message, told, &b), SMTP_OK);
    CODE(b.accepted, 3);

    /* What was given before the end is sent, whatever the end is. */
    memset(&b, 0, sizeof b);
    b.message = good;
    b.count = 2;
    b.stop = -77;
    CODE(smtp_session_send_many(s, next_message, told, &b), -77);
    CODE(b.accepted, 2);
    b.stop = 2;
    CODE(smtp_session_send_many(s, next_message, told, &b), SMTP_ERR_USAGE);
    b.message = NULL;
    b.given = 0;
    CODE(smtp_session_send_many(s, next_message, told, &b), SMTP_ERR_NULL);
    CODE(b.told, 2);
    smtp_message_free(good);
}

static void sessions(void)
{
    smtp_message *m = mail_to(ONE_REFUSED);
    smtp_options *o = to_sink();
    smtp_session *s;
    smtp_result *r;
    source body = { "Subject: x\r\n\r\n.piece\r\n", 0, 0 };
    size_t i, found = 0;

    CODE(smtp_session_open("127.0.0.1", port, o, &s), SMTP_OK);
    CODE(smtp_session_is_open(s), 1);
    PART(smtp_session_greeting(s), "sink.example");
    CODE(smtp_session_reply_code(s), 220);
    CODE(smtp_session_helo(s, NULL), 250);
    CODE(smtp_session_ehlo(s, "c.example"), 250);
    CODE(smtp_session_mail(s, "a@b", "SIZE=20 BODY=8BITMIME"), 250);
    CODE(smtp_session_mail(s, "a b@c", NULL), SMTP_ERR_USAGE);
    CHECK(smtp_session_error(s)[0] != '\0');
    CODE(smtp_session_mail(s, "a@b", "X=a=b"), SMTP_ERR_USAGE);
    CODE(smtp_session_rcpt(s, "no@d", NULL), 550);
    TEXT(smtp_session_reply(s), "No such user");
    TEXT(smtp_session_reply_enhanced(s), "5.1.1");
    CODE(smtp_session_reply_code(s), 550);
    CODE(smtp_session_rcpt(s, "<c@d>", NULL), 250);
    CODE(smtp_session_result(s, &r), SMTP_ERR_USAGE);
    CODE(smtp_session_data(s, "Subject: x\n\n.\n", 14), 250);
    CODE(smtp_session_result(s, &r), SMTP_OK);
    CODE(smtp_result_recipient_count(r), 1);
    smtp_result_free(r);
    CODE(smtp_session_data(s, "x", 1), 503);
    CODE(smtp_session_mail(s, "<>", NULL), 250);
    CODE(smtp_session_rset(s), 250);
    CODE(smtp_session_mail(s, "", NULL), 250);
    CODE(smtp_session_rcpt(s, "c@d", NULL), 250);
    CODE(smtp_session_data_reader(s, source_read, &body), 250);
    CODE(smtp_session_noop(s), 250);
    CODE(smtp_session_vrfy(s, "bob"), 252);
    CODE(smtp_session_expn(s, "list"), 502);
    CODE(smtp_session_help(s, NULL), 214);
    CODE(smtp_session_help(s, "MAIL"), 214);
    CODE(smtp_session_command(s, "XYZZY now"), 500);
    CODE(smtp_session_command(s, "a\r\nb"), SMTP_ERR_USAGE);
    CODE(smtp_session_command(s, "starttls"), SMTP_ERR_USAGE);
    CODE(smtp_session_starttls(s), 500);
    CODE(smtp_session_options(s), SMTP_OK);
    for (i = 0; i < smtp_session_option_count(s); i++) found += strncmp(smtp_session_option(s, i), "SIZE", 4) == 0;
    CODE(found, 1);
    EMPTY(smtp_session_option(s, i));
    CODE(smtp_session_auth_type_count(s), 0);
    EMPTY(smtp_session_auth_type(s, 0));
    CODE(smtp_session_authenticate(s, "u", "p", SMTP_AUTH_DEFAULT), SMTP_ERR_LOGIN);
    CODE(smtp_session_authenticate(s, "u", "p", SMTP_AUTH_PLAIN), SMTP_ERR_LOGIN);
    smtp_session_free(s);

    CODE(smtp_session_open("127.0.0.1", port, o, &s), SMTP_OK);
    CODE(smtp_session_send(s, "a@b", "c@d", NULL, NULL, "Subject", "Hi.\n", 4, &r), SMTP_OK);
    CODE(smtp_result_status(r), SMTP_OK);
    smtp_result_free(r);
    CODE(smtp_session_send(s, "a@b", "no@d", "", "", NULL, "Hi.\n", 4, NULL), SMTP_ERR_RECIPIENTS);
    CODE(smtp_session_send(s, "a@b", "c@d", NULL, NULL, NULL, "\377", 1, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "UTF-8");
    smtp_result_free(r);
    CODE(smtp_session_send(s, "a@b", "\377", NULL, NULL, NULL, "x", 1, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "`to`");
    smtp_result_free(r);
    CODE(smtp_session_sendmessage(s, m, NULL, &r), SMTP_ERR_RECIPIENTS);
    smtp_result_free(r);
    smtp_options_set(o, "atleastone", "1");
    CODE(smtp_session_sendmessage(s, m, o, &r), SMTP_PARTIAL);
    smtp_result_free(r);
    batches(s, m, o);
    CODE(smtp_session_quit(s), 221);
    CODE(smtp_session_is_open(s), 0);
    CODE(smtp_session_noop(s), SMTP_ERR_CLOSED);
    CODE(smtp_session_send_many(s, next_message, told, NULL), SMTP_ERR_CLOSED);
    smtp_session_close(s);

    CODE(smtp_session_open("127.0.0.1", lmtp_port, o, &s), SMTP_OK);
    CODE(smtp_session_lhlo(s, NULL), 250);
    CODE(smtp_session_mail(s, "a@b", NULL), 250);
    CODE(smtp_session_rcpt(s, "c@d", NULL), 250);
    CODE(smtp_session_rcpt(s, "e@f", NULL), 250);
    CODE(smtp_session_data(s, "\n", 1), 250);
    CODE(smtp_session_result(s, &r), SMTP_OK);
    CODE(smtp_result_recipient_count(r), 2);
    smtp_result_free(r);
    smtp_session_close(s);
    smtp_options_free(o);
    smtp_message_free(m);
}

static void session_nulls(void)
{
    smtp_message *m = mail_to(ONE_REFUSED);
    smtp_session *s = NULL;
    smtp_result *r;
    int fd;

    CODE(smtp_session_adopt(connected(), "sink.example", NULL, &s), SMTP_OK);
    smtp_session_close(s);
    fd = connected();
    CODE(smtp_session_adopt(fd, NULL, NULL, &s), SMTP_ERR_NULL);
    CHECK(s == NULL);
    CHECK(close(fd) != 0); /* taken over all the same */
    CODE(smtp_session_adopt(connected(), "a", NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_adopt(connected(), "a b\r\n", NULL, &s), SMTP_ERR_USAGE);
    PART(smtp_session_error(s), "is not a server's name");
    CHECK(strpbrk(smtp_session_error(s), "\r\n") == NULL);
    smtp_session_free(s);
    CODE(smtp_session_adopt(-1, "a", NULL, &s), SMTP_ERR_USAGE);
    PART(smtp_session_error(s), "-1 is not an open descriptor");
    CODE(smtp_session_noop(s), SMTP_ERR_CLOSED);
    CODE(smtp_session_options(s), SMTP_ERR_CLOSED);
    CODE(smtp_session_send(s, "a@b", "c@d", NULL, NULL, NULL, "x", 1, &r), SMTP_ERR_CLOSED);
    CHECK(r == NULL);
    PART(smtp_session_error(s), "-1 is not an open descriptor");
    smtp_session_free(s);
    CODE(smtp_session_open(NULL, 0, NULL, &s), SMTP_ERR_NULL);
    CHECK(s == NULL);
    CODE(smtp_session_open("127.0.0.1", port, NULL, NULL), SMTP_ERR_NULL);
    {
        smtp_options *own = smtp_options_new();

        smtp_options_set(own, "retries", "5");
        CODE(smtp_session_open("127.0.0.1", port, own, &s), SMTP_ERR_USAGE);
        PART(smtp_session_error(s), "`retries`");
        smtp_session_free(s);
        smtp_options_free(own);
    }
    CODE(smtp_session_open("127.0.0.1", 65536 + 25, NULL, &s), SMTP_ERR_USAGE);
    PART(smtp_session_error(s), "65561");
    smtp_session_free(s);
    smtp_session_close(NULL);
    smtp_session_free(NULL);

    CODE(smtp_session_ehlo(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_session_helo(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_session_lhlo(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_session_mail(NULL, "a@b", NULL), SMTP_ERR_NULL);
    CODE(smtp_session_rcpt(NULL, "a@b", NULL), SMTP_ERR_NULL);
    CODE(smtp_session_data(NULL, "a", 1), SMTP_ERR_NULL);
    CODE(smtp_session_data_reader(NULL, source_read, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_rset(NULL), SMTP_ERR_NULL);
    CODE(smtp_session_noop(NULL), SMTP_ERR_NULL);
    CODE(smtp_session_vrfy(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_session_expn(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_session_help(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_quit(NULL), SMTP_ERR_NULL);
    CODE(smtp_session_command(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_session_starttls(NULL), SMTP_ERR_NULL);
    CODE(smtp_session_authenticate(NULL, "a", "b", NULL), SMTP_ERR_NULL);
    CODE(smtp_session_send(NULL, "a", "b", NULL, NULL, NULL, "c", 1, &r), SMTP_ERR_NULL);
    CODE(smtp_session_sendmessage(NULL, m, NULL, &r), SMTP_ERR_NULL);
    CODE(smtp_session_send_many(NULL, next_message, told, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_send_many(s, NULL, told, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_send_many(s, next_message, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_result(NULL, &r), SMTP_ERR_NULL);
    CODE(smtp_session_is_open(NULL), 0);
    EMPTY(smtp_session_error(NULL));
    CODE(smtp_session_reply_code(NULL), 0);
    EMPTY(smtp_session_reply_enhanced(NULL));
    EMPTY(smtp_session_reply(NULL));
    EMPTY(smtp_session_greeting(NULL));
    CODE(smtp_session_options(NULL), SMTP_ERR_NULL);
    CODE(smtp_session_option_count(NULL), 0);
    EMPTY(smtp_session_option(NULL, 0));
    CODE(smtp_session_auth_type_count(NULL), 0);
    EMPTY(smtp_session_auth_type(NULL, 0));

    CODE(smtp_session_open("127.0.0.1", port, NULL, &s), SMTP_OK);
    CODE(smtp_session_mail(s, NULL, NULL), SMTP_ERR_NULL);
    PART(smtp_session_error(s), "`from` is NULL");
    CODE(smtp_session_rcpt(s, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_data(s, NULL, 1), SMTP_ERR_NULL);
    CODE(smtp_session_data_reader(s, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_vrfy(s, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_expn(s, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_command(s, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_authenticate(s, NULL, "b", NULL), SMTP_ERR_NULL);
    CODE(smtp_session_authenticate(s, "a", NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_send(s, "a@b", "c@d", NULL, NULL, NULL, NULL, 1, &r), SMTP_ERR_NULL);
    CODE(smtp_session_sendmessage(s, NULL, NULL, &r), SMTP_ERR_NULL);
    CODE(smtp_session_result(s, NULL), SMTP_ERR_NULL);
    CODE(smtp_session_noop(s), 250);
    smtp_session_close(s);
    smtp_message_free(m);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    sessions();
    session_nulls();
    return summary();
}
