/* api PORT LMTP_PORT: calls every function of libsmtp, each also with NULL for every pointer.
 *
 * PORT is a `scripted-server sink --reject 'no@*=550 5.1.1 No such user'`, LMTP_PORT one with --lmtp besides. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned short port, lmtp_port;

typedef struct {
    const char *text;
    size_t at;
    int released;
} source;

static int64_t source_read(void *user_data, void *buffer, size_t size)
{
    source *s = user_data;
    size_t n = strlen(s->text + s->at);

    if (n > size) n = size;
    if (n > 5) n = 5;
    memcpy(buffer, s->text + s->at, n);
    s->at += n;
    return (int64_t)n;
}

static int source_rewind(void *user_data)
{
    ((source *)user_data)->at = 0;
    return 0;
}

static void source_release(void *user_data)
{
    ((source *)user_data)->released++;
}

typedef struct {
    char text[8192];
    size_t length;
} sink;

static int sink_write(void *user_data, const void *data, size_t size)
{
    sink *s = user_data;

    if (size >= sizeof s->text - s->length) return -1;
    memcpy(s->text + s->length, data, size);
    s->length += size;
    s->text[s->length] = '\0';
    return 0;
}

static const char *written(smtp_message *message, sink *s)
{
    s->length = 0;
    s->text[0] = '\0';
    CODE(smtp_message_write(message, sink_write, s), SMTP_OK);
    return s->text;
}

static void on_line(void *user_data, int direction, const char *line)
{
    (void)direction;
    *(size_t *)user_data += strlen(line);
}

static int on_tls(void *user_data, int code, const char *diagnostic)
{
    (void)user_data, (void)code, (void)diagnostic;
    return SMTP_INSECURE;
}

static void codes(void)
{
    int code;

    TEXT(smtp_library_version(), SMTP_VERSION);
    CODE(smtp_library_version_number(), SMTP_VERSION_NUMBER);
    for (code = SMTP_ERR_FULL; code <= SMTP_PARTIAL; code++) {
        CHECK(smtp_code_name(code)[0] != '\0');
        CHECK(smtp_code_text(code)[0] != '\0');
    }
    TEXT(smtp_code_name(SMTP_ERR_UNKNOWN), "unknown");
    EMPTY(smtp_code_name(2));
    EMPTY(smtp_code_text(-20));
    TEXT(smtp_outcome_name(SMTP_NOT_SENT), "not_sent");
    EMPTY(smtp_outcome_name(0));
}

static void messages(const char *folder)
{
    smtp_message *m = smtp_message_new(), *part = smtp_message_new(), *copy;
    source s = { "piece by piece\n", 0, 0 };
    sink out;
    char file[512];
    const char *text;
    int64_t size = 7;

    CODE(smtp_message_set_header(m, "Subject", "Caf\303\251"), SMTP_OK);
    CODE(smtp_message_add_header(m, "Received", "one"), SMTP_OK);
    CODE(smtp_message_add_header(m, "Received", "two"), SMTP_OK);
    CODE(smtp_message_set_text(m, "text\n", 5), SMTP_OK);
    CODE(smtp_message_header(m, "received", 1, &text), SMTP_OK);
    TEXT(text, "two");
    CODE(smtp_message_header(m, "received", 2, &text), SMTP_NO_FIELD);
    CHECK(text == NULL);
    CODE(smtp_message_delete_header(m, "Received"), SMTP_OK);
    CODE(smtp_message_header_name(m, 0, &text), SMTP_OK);
    TEXT(text, "Subject");
    CODE(smtp_message_header_name(m, 99, &text), SMTP_NO_FIELD);
    {
        /* One after the other, from one list, as long as nothing changes. */
        smtp_message *many = smtp_message_new();
        char name[32];
        int i;

        for (i = 0; i < 2000; i++) {
            sprintf(name, "X-%d", i);
            CODE(smtp_message_add_header(many, name, "a"), SMTP_OK);
            CODE(smtp_message_add_header(many, "X-All", name), SMTP_OK);
        }
        for (i = 0; i < 2000; i++) {
            sprintf(name, "X-%d", i);
            CODE(smtp_message_header(many, "x-all", (size_t)i, &text), SMTP_OK);
            CHECK(strcmp(text, name) == 0);
        }
        CODE(smtp_message_header(many, "X-1", 1, &text), SMTP_NO_FIELD);
        CODE(smtp_message_header(many, "X-All", 1, &text), SMTP_OK);
        CHECK(strcmp(text, "X-1") == 0);
        CODE(smtp_message_set_text(many, "text", 4), SMTP_OK);
        CODE(smtp_message_header_name(many, 2000, &text), SMTP_OK);
        CHECK(strcmp(text, "X-1999") == 0);
        CODE(smtp_message_delete_header(many, "X-1999"), SMTP_OK);
        CODE(smtp_message_header_name(many, 2000, &text), SMTP_OK);
        CHECK(strcmp(text, "X-1999") != 0);
        smtp_message_free(many);
    }
    EMPTY(smtp_message_error(m));
    CODE(smtp_message_set_header(m, "Content-Type", "text/plain"), SMTP_ERR_USAGE);
    PART(smtp_message_error(m), "Content-Type");
    CODE(smtp_message_set_header(m, "X", "a\r\nBcc: b"), SMTP_ERR_USAGE);
    CODE(smtp_message_set_header(m, "X", "\377"), SMTP_ERR_USAGE);
    PART(smtp_message_error(m), "`value` is no UTF-8");

    CODE(smtp_message_add_html(m, "<p>text</p><img src=\"cid:a@b\">"), SMTP_OK);
    CODE(smtp_message_inline(m, "a.png", NULL, "\211PNG", 4, "a@b", &text), SMTP_OK);
    TEXT(text, "a@b");
    CODE(smtp_message_attach(m, "a.pdf", NULL, "%PDF", 4), SMTP_OK);
    sprintf(file, "%s/attached.txt", folder);
    CODE(smtp_message_write_file(part, file), SMTP_OK);
    CODE(smtp_message_attach_file(m, file), SMTP_OK);
    CODE(smtp_message_inline_file(m, file, NULL, &text), SMTP_OK);
    PART(text, "@inline");
    CODE(smtp_message_inline_file(m, file, "no id", &text), SMTP_ERR_USAGE);
    CHECK(text == NULL);
    PART(written(m, &out), "Subject: =?utf-8?");
    PART(out.text, "multipart/related");
    CODE(smtp_message_size(m, &size), SMTP_OK);
    CODE(size, out.length);

    CODE(smtp_message_set_multipart(m, "digest"), SMTP_OK);
    CODE(smtp_message_size(m, &size), SMTP_ERR_USAGE);
    CODE(smtp_message_set_message(part, "A: b\r\n\r\nc", 9), SMTP_OK);
    CODE(smtp_message_add_part(m, part), SMTP_OK);
    CODE(smtp_message_set_html(part, "<p>", 3), SMTP_OK);
    CODE(smtp_message_add_part(m, part), SMTP_OK);
    PART(written(m, &out), "multipart/digest");
    PART(out.text, "<p>");
    CODE(smtp_message_set_rfc822(m, m), SMTP_OK);
    PART(written(m, &out), "message/rfc822");

    CODE(smtp_message_set_part(m, "application/json"), SMTP_OK);
    CODE(smtp_message_set_part(m, "multipart/mixed"), SMTP_ERR_USAGE);
    CODE(smtp_message_set_parameter(m, "name", "x y"), SMTP_OK);
    CODE(smtp_message_set_body(m, "{}", 2), SMTP_OK);
    CODE(smtp_message_set_encoding(m, SMTP_ENCODING_BASE64), SMTP_OK);
    CODE(smtp_message_set_encoding(m, 17), SMTP_ERR_USAGE);
    PART(written(m, &out), "e30=");
    CODE(smtp_message_set_body_file(m, file), SMTP_OK);
    PART(written(m, &out), "name=\"x y\"");
    CODE(smtp_message_set_body_reader(m, source_read, source_rewind, &s, source_release, -1), SMTP_OK);
    PART(written(m, &out), "cGllY2UgYnkgcGllY2UK");
    PART(written(m, &out), "cGllY2UgYnkgcGllY2UK");
    copy = smtp_message_copy(m);
    smtp_message_free(m);
    CODE(s.released, 0);
    smtp_message_free(copy);
    CODE(s.released, 1);

    s.at = 0;
    CODE(smtp_message_set_message_reader(part, source_read, NULL, &s, source_release, 15), SMTP_OK);
    PART(written(part, &out), "piece by piece");
    CODE(smtp_message_write(part, sink_write, &out), SMTP_ERR_SOURCE);
    PART(smtp_message_error(part), "cannot start again");
    CODE(smtp_message_set_message_file(part, "/does/not/exist"), SMTP_OK);
    CODE(s.released, 2);
    CODE(smtp_message_size(part, &size), SMTP_ERR_SOURCE);
    CODE(smtp_message_write_file(part, "/does/not/exist"), SMTP_ERR_SOURCE);
    CODE(smtp_message_set_message_reader(part, source_read, NULL, &s, source_release, -2), SMTP_ERR_USAGE);
    CODE(s.released, 3);
    CODE(smtp_message_set_body(part, "x", 1), SMTP_ERR_USAGE);
    smtp_message_free(part);
}

static void message_nulls(void)
{
    smtp_message *m = smtp_message_new();
    source s = { "", 0, 0 };
    const char *text = "";
    int64_t size;

    smtp_message_free(NULL);
    CHECK(smtp_message_copy(NULL) == NULL);
    EMPTY(smtp_message_error(NULL));
    CODE(smtp_message_set_text(NULL, "a", 1), SMTP_ERR_NULL);
    CODE(smtp_message_set_text(m, NULL, 1), SMTP_ERR_NULL);
    PART(smtp_message_error(m), "`text` is NULL");
    CODE(smtp_message_set_text(m, NULL, 0), SMTP_OK);
    CODE(smtp_message_set_html(NULL, "a", 1), SMTP_ERR_NULL);
    CODE(smtp_message_set_html(m, NULL, 1), SMTP_ERR_NULL);
    CODE(smtp_message_set_message(NULL, "a", 1), SMTP_ERR_NULL);
    CODE(smtp_message_set_message(m, NULL, 1), SMTP_ERR_NULL);
    CODE(smtp_message_set_message_file(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_message_set_message_file(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_set_message_reader(NULL, source_read, NULL, &s, source_release, -1), SMTP_ERR_NULL);
    CODE(smtp_message_set_message_reader(m, NULL, NULL, &s, source_release, -1), SMTP_ERR_NULL);
    CODE(s.released, 2);
    CODE(smtp_message_set_part(NULL, "a/b"), SMTP_ERR_NULL);
    CODE(smtp_message_set_part(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_set_body(NULL, "a", 1), SMTP_ERR_NULL);
    CODE(smtp_message_set_body(m, NULL, 1), SMTP_ERR_NULL);
    CODE(smtp_message_set_body_file(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_message_set_body_file(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_set_body_reader(NULL, source_read, NULL, &s, source_release, -1), SMTP_ERR_NULL);
    CODE(smtp_message_set_body_reader(m, NULL, NULL, NULL, NULL, -1), SMTP_ERR_NULL);
    CODE(s.released, 3);
    CODE(smtp_message_set_parameter(NULL, "a", "b"), SMTP_ERR_NULL);
    CODE(smtp_message_set_parameter(m, NULL, "b"), SMTP_ERR_NULL);
    CODE(smtp_message_set_parameter(m, "a", NULL), SMTP_ERR_NULL);
    CODE(smtp_message_set_encoding(NULL, SMTP_ENCODING_AUTO), SMTP_ERR_NULL);
    CODE(smtp_message_set_multipart(NULL, "mixed"), SMTP_ERR_NULL);
    CODE(smtp_message_set_multipart(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_add_part(NULL, m), SMTP_ERR_NULL);
    CODE(smtp_message_add_part(m, NULL), SMTP_ERR_NULL);
    PART(smtp_message_error(m), "`part` is NULL");
    CODE(smtp_message_set_rfc822(NULL, m), SMTP_ERR_NULL);
    CODE(smtp_message_set_rfc822(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_add_html(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_message_add_html(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_attach_file(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_message_attach_file(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_attach(NULL, "a", NULL, "b", 1), SMTP_ERR_NULL);
    CODE(smtp_message_attach(m, NULL, NULL, "b", 1), SMTP_ERR_NULL);
    CODE(smtp_message_attach(m, "a", NULL, NULL, 1), SMTP_ERR_NULL);
    CODE(smtp_message_inline_file(NULL, "a", NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_inline_file(m, NULL, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_inline(NULL, "a", NULL, "b", 1, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_inline(m, NULL, NULL, "b", 1, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_inline(m, "a", NULL, NULL, 1, NULL, &text), SMTP_ERR_NULL);
    CHECK(text == NULL);
    CODE(smtp_message_set_header(NULL, "a", "b"), SMTP_ERR_NULL);
    CODE(smtp_message_set_header(m, NULL, "b"), SMTP_ERR_NULL);
    CODE(smtp_message_set_header(m, "a", NULL), SMTP_ERR_NULL);
    CODE(smtp_message_add_header(NULL, "a", "b"), SMTP_ERR_NULL);
    CODE(smtp_message_add_header(m, NULL, "b"), SMTP_ERR_NULL);
    CODE(smtp_message_add_header(m, "a", NULL), SMTP_ERR_NULL);
    CODE(smtp_message_delete_header(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_message_delete_header(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_header(NULL, "a", 0, &text), SMTP_ERR_NULL);
    CODE(smtp_message_header(m, NULL, 0, &text), SMTP_ERR_NULL);
    CODE(smtp_message_header(m, "a", 0, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_header_name(NULL, 0, &text), SMTP_ERR_NULL);
    CODE(smtp_message_header_name(m, 0, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_size(NULL, &size), SMTP_ERR_NULL);
    CODE(smtp_message_size(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_write(NULL, sink_write, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_write(m, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_write_file(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_message_write_file(m, NULL), SMTP_ERR_NULL);
    smtp_message_free(m);
}

static void options(void)
{
    smtp_options *o = smtp_options_new(), *copy;
    smtp_cancel *cancel = smtp_cancel_new();
    source s = { "", 0, 0 };
    size_t i;

    for (i = 0; smtp_option_name(i) != NULL; i++) CHECK(smtp_option_name(i)[0] != '\0');
    CHECK(i > 30);
    CODE(smtp_options_set(o, "timeout", "30"), SMTP_OK);
    EMPTY(smtp_options_error(o));
    CODE(smtp_options_set(o, "recipient", "a@b"), SMTP_ERR_USAGE);
    PART(smtp_options_error(o), "did you mean `recipients`?");
    CODE(smtp_options_set(o, "atleastone", "perhaps"), SMTP_ERR_USAGE);
    PART(smtp_options_error(o), "`atleastone`");
    CODE(smtp_options_add_server(o, "a.example", 0), SMTP_OK);
    CODE(smtp_options_set_originator(o, "a@b"), SMTP_OK);
    CODE(smtp_options_set_originator(o, "a@b\n"), SMTP_ERR_USAGE);
    CODE(smtp_options_set_recipients(o, "a@b, c@d"), SMTP_OK);
    CODE(smtp_options_add_recipient(o, "e@f"), SMTP_OK);
    CODE(smtp_options_add_header(o, "X", "y"), SMTP_OK);
    CODE(smtp_options_set_login(o, "user", "secret"), SMTP_OK);
    CODE(smtp_options_set_transcript(o, on_line, &s, source_release), SMTP_OK);
    CODE(smtp_options_set_tlspolicy(o, on_tls, &s, source_release), SMTP_OK);
    CODE(smtp_options_set_cancel(o, cancel), SMTP_OK);
    copy = smtp_options_copy(o);
    CODE(smtp_options_set_transcript(o, NULL, &s, source_release), SMTP_OK);
    CODE(s.released, 1); /* the one that came with NULL; the copy has the other */
    smtp_options_free(o);
    smtp_options_free(copy);
    CODE(s.released, 3);
    smtp_cancel_trigger(cancel);
    smtp_cancel_reset(cancel);
    smtp_cancel_free(cancel);
}

static void tls(void)
{
    smtp_options *from = smtp_options_new(), *to = smtp_options_new();
    smtp_message *m = smtp_message_new();
    smtp_tls *tls;

    CODE(smtp_options_set(from, "tlstrust", "given"), SMTP_OK);
    CHECK(smtp_tls_new(from) == NULL);
    PART(smtp_options_error(from), "tlstrust");
    CODE(smtp_options_set(from, "tlstrust", ""), SMTP_OK);
    CODE(smtp_options_set(from, "tlscafile", "/none/such"), SMTP_OK);
    CHECK(smtp_tls_new(from) == NULL);
    PART(smtp_options_error(from), "/none/such");
    CODE(smtp_options_set(from, "tlscafile", ""), SMTP_OK);
    CODE(smtp_options_set(from, "tlsminversion", "1.3"), SMTP_OK);
    tls = smtp_tls_new(from);
    CHECK(tls != NULL);
    EMPTY(smtp_options_error(from));
    smtp_options_free(from);
    CODE(smtp_tls_changed(tls), 0);
    CODE(smtp_options_set_tls(to, tls), SMTP_OK);
    smtp_tls_free(tls);

    /* What it is like was said where it was made. */
    CODE(smtp_options_set(to, "originator", "a@b.example"), SMTP_OK);
    CODE(smtp_options_set(to, "recipients", "c@d.example"), SMTP_OK);
    CODE(smtp_options_add_server(to, "127.0.0.1", port), SMTP_OK);
    CODE(smtp_options_set(to, "tlsverify", "0"), SMTP_OK);
    CODE(smtp_sendmessage(m, to, NULL), SMTP_ERR_USAGE);
    CODE(smtp_options_set(to, "tlsverify", "1"), SMTP_OK);
    CODE(smtp_sendmessage(m, to, NULL), SMTP_OK);
    CODE(smtp_options_set_tls(to, NULL), SMTP_OK);
    smtp_options_free(to);
    smtp_message_free(m);

    smtp_tls_free(NULL);
    CHECK(smtp_tls_new(NULL) == NULL);
    CODE(smtp_tls_changed(NULL), SMTP_ERR_NULL);
    CODE(smtp_options_set_tls(NULL, NULL), SMTP_ERR_NULL);
}

static void option_nulls(void)
{
    smtp_options *o = smtp_options_new();
    source s = { "", 0, 0 };

    smtp_options_free(NULL);
    smtp_cancel_trigger(NULL);
    smtp_cancel_reset(NULL);
    smtp_cancel_free(NULL);
    CHECK(smtp_options_copy(NULL) == NULL);
    EMPTY(smtp_options_error(NULL));
    CODE(smtp_options_set(NULL, "debug", "0"), SMTP_ERR_NULL);
    CODE(smtp_options_set(o, NULL, "0"), SMTP_ERR_NULL);
    CODE(smtp_options_set(o, "debug", NULL), SMTP_ERR_NULL);
    PART(smtp_options_error(o), "`value` is NULL");
    CODE(smtp_options_add_server(NULL, "a", 0), SMTP_ERR_NULL);
    CODE(smtp_options_add_server(o, NULL, 0), SMTP_ERR_NULL);
    CODE(smtp_options_set_originator(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_options_set_originator(o, NULL), SMTP_ERR_NULL);
    CODE(smtp_options_set_recipients(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_options_set_recipients(o, NULL), SMTP_ERR_NULL);
    CODE(smtp_options_add_server(o, "a", 65536 + 25), SMTP_ERR_USAGE);
    PART(smtp_options_error(o), "65561");
    PART(smtp_options_error(o), "1 to 65535");
    CODE(smtp_options_add_server(o, "a", -1), SMTP_ERR_USAGE);
    PART(smtp_options_error(o), "-1");
    CODE(smtp_options_add_recipient_dsn(o, "Ann <a@b.example>", "failure,delay", "rfc822;a+x@b.example"), SMTP_OK);
    CODE(smtp_options_add_recipient_dsn(o, "a@b.example", NULL, ""), SMTP_OK);
    CODE(smtp_options_add_recipient_dsn(o, "a@b.example", "always", NULL), SMTP_ERR_USAGE);
    PART(smtp_options_error(o), "\"always\"");
    CODE(smtp_options_add_recipient_dsn(o, "a@b.example", NULL, "a@b.example"), SMTP_ERR_USAGE);
    PART(smtp_options_error(o), "type;address");
    CODE(smtp_options_add_recipient_dsn(o, "a@b.example\r\nDATA", NULL, NULL), SMTP_ERR_USAGE);
    CODE(smtp_options_add_recipient_dsn(o, NULL, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_options_add_recipient_dsn(NULL, "a@b.example", NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_options_set_recipients(o, "a@b.example,\r\n c@d.example"), SMTP_OK);
    CODE(smtp_options_add_recipient(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_options_add_recipient(o, NULL), SMTP_ERR_NULL);
    CODE(smtp_options_add_header(NULL, "a", "b"), SMTP_ERR_NULL);
    CODE(smtp_options_add_header(o, NULL, "b"), SMTP_ERR_NULL);
    CODE(smtp_options_add_header(o, "a", NULL), SMTP_ERR_NULL);
    CODE(smtp_options_set_login(NULL, "a", "b"), SMTP_ERR_NULL);
    CODE(smtp_options_set_login(o, NULL, "b"), SMTP_ERR_NULL);
    CODE(smtp_options_set_login(o, "a", NULL), SMTP_ERR_NULL);
    CODE(smtp_options_set_tlspolicy(NULL, on_tls, &s, source_release), SMTP_ERR_NULL);
    CODE(smtp_options_set_tlspolicy(o, NULL, NULL, NULL), SMTP_OK);
    CODE(smtp_options_set_transcript(NULL, on_line, &s, source_release), SMTP_ERR_NULL);
    CODE(s.released, 2);
    CODE(smtp_options_set_cancel(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_options_set_cancel(o, NULL), SMTP_OK);
    smtp_options_free(o);
}

static void addresses(void)
{
    smtp_addresses *a = NULL;

    CODE(smtp_address_parse("Ann <ann@a.example>, Crew: bo@b.example;", &a), SMTP_OK);
    CODE(smtp_addresses_count(a), 2);
    TEXT(smtp_addresses_local(a, 0), "ann");
    TEXT(smtp_addresses_domain(a, 0), "a.example");
    TEXT(smtp_addresses_display_name(a, 0), "Ann");
    TEXT(smtp_addresses_group(a, 1), "Crew");
    TEXT(smtp_addresses_addr_spec(a, 1), "bo@b.example");
    EMPTY(smtp_addresses_group(a, 0));
    EMPTY(smtp_addresses_local(a, 2));
    EMPTY(smtp_addresses_error(a));
    smtp_addresses_free(a);
    CODE(smtp_address_parse("a@x; b@x", &a), SMTP_ERR_USAGE);
    PART(smtp_addresses_error(a), "at octet 3");
    CODE(smtp_addresses_count(a), 0);
    smtp_addresses_free(a);
    CODE(smtp_address_parse(NULL, &a), SMTP_ERR_NULL);
    CHECK(a == NULL);
    CODE(smtp_address_parse("a@b", NULL), SMTP_ERR_NULL);
    CODE(smtp_addresses_count(NULL), 0);
    EMPTY(smtp_addresses_error(NULL));
    EMPTY(smtp_addresses_local(NULL, 0));
    EMPTY(smtp_addresses_domain(NULL, 0));
    EMPTY(smtp_addresses_display_name(NULL, 0));
    EMPTY(smtp_addresses_group(NULL, 0));
    EMPTY(smtp_addresses_addr_spec(NULL, 0));
    smtp_addresses_free(NULL);
}

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

static smtp_message *mail(void)
{
    smtp_message *m = smtp_message_new();

    smtp_message_set_text(m, "Hello.\n", 7);
    smtp_message_set_header(m, "From", "alice@a.example");
    smtp_message_set_header(m, "To", "bob@b.example, no@b.example");
    return m;
}

static smtp_options *to_sink(void)
{
    smtp_options *o = smtp_options_new();

    smtp_options_add_server(o, "127.0.0.1", port);
    smtp_options_set(o, "client", "client.example");
    smtp_options_set(o, "timeout", "20");
    return o;
}

static void sending(void)
{
    smtp_message *m = mail();
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
    smtp_message *m = mail();
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

static int connected(void)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) perror("connect");
    return fd;
}

static void session_nulls(void)
{
    smtp_message *m = mail();
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
    CODE(smtp_session_adopt(-1, "a", NULL, &s), SMTP_ERR_USAGE);
    PART(smtp_session_error(s), "-1 is no open descriptor");
    CODE(smtp_session_noop(s), SMTP_ERR_CLOSED);
    CODE(smtp_session_options(s), SMTP_ERR_CLOSED);
    CODE(smtp_session_send(s, "a@b", "c@d", NULL, NULL, NULL, "x", 1, &r), SMTP_ERR_CLOSED);
    CHECK(r == NULL);
    PART(smtp_session_error(s), "-1 is no open descriptor");
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

/* A whole send with blocking calls; loops.c has loops. */
static void engines(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    smtp_engine *e = NULL;
    smtp_result *r;
    const void *data;
    size_t length;
    char buffer[4096];
    int fd;

    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    TEXT(smtp_engine_host(e), "127.0.0.1");
    CODE(smtp_engine_port(e), port);
    CHECK(smtp_engine_timeout(e) > 1000);
    CODE(smtp_engine_timed_out(e), SMTP_OK); /* not yet: nothing happens */
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    CHECK(r == NULL);
    CODE(smtp_engine_input(e, "x", 1), SMTP_ERR_USAGE);
    CODE(smtp_engine_output(e, &data, &length), SMTP_ERR_USAGE);
    CODE(smtp_engine_eof(e), SMTP_ERR_USAGE);
    CODE(smtp_engine_failed(e, NULL), SMTP_ERR_USAGE);
    fd = connected();
    CODE(smtp_engine_connected(e, fd), SMTP_OK);
    CODE(smtp_engine_connected(e, -1), SMTP_ERR_USAGE);
    CODE(smtp_engine_connect_failed(e, "x"), SMTP_ERR_USAGE);
    while (smtp_engine_action(e) == SMTP_EXCHANGE) {
        smtp_engine_output(e, &data, &length);
        if (length > 0) {
            ssize_t n = write(fd, data, length);
            CODE(smtp_engine_output_done(e, (size_t)n), SMTP_OK);
        } else {
            ssize_t n = read(fd, buffer, sizeof buffer);
            if (n > 0) smtp_engine_input(e, buffer, (size_t)n);
            else smtp_engine_eof(e);
        }
        CODE(smtp_engine_waits_for_reader(e), 0);
    }
    close(fd);
    CODE(smtp_engine_timeout(e), -1);
    CODE(smtp_engine_output_done(e, 1), SMTP_ERR_USAGE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_RECIPIENTS);
    PART(smtp_result_attempt_peer(r, 0), "127.0.0.1:");
    smtp_result_free(r);
    smtp_engine_free(e);

    CODE(smtp_engine_new(m, NULL, &e), SMTP_OK);
    CODE(smtp_engine_connect_failed(e, "no route"), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CONNECT);
    PART(smtp_result_error(r), "no route");
    smtp_result_free(r);
    smtp_engine_free(e);

    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CODE(smtp_engine_connected(e, -1), SMTP_OK);
    CODE(smtp_engine_failed(e, "cable cut"), SMTP_OK);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CLOSED);
    PART(smtp_result_error(r), "cable cut");
    smtp_result_free(r);
    smtp_engine_free(e);

    CODE(smtp_engine_new(m, o, &e), SMTP_OK);
    CODE(smtp_engine_abort(e, "enough"), SMTP_OK);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_CANCELLED);
    PART(smtp_result_error(r), "enough");
    smtp_result_free(r);
    smtp_engine_free(e);

    CODE(smtp_options_set(o, "proxy", "ftp://127.0.0.1:1"), SMTP_ERR_USAGE);
    PART(smtp_options_error(o), "option proxy");
    CODE(smtp_options_set(o, "originator", "no address"), SMTP_OK);
    CODE(smtp_engine_new(m, o, &e), SMTP_ERR_USAGE);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_abort(e, NULL), SMTP_ERR_USAGE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    PART(smtp_result_error(r), "originator");
    smtp_result_free(r);
    CODE(smtp_engine_result(e, NULL), SMTP_ERR_NULL);
    smtp_engine_free(e);

    CODE(smtp_engine_new(NULL, o, &e), SMTP_ERR_NULL);
    CHECK(e == NULL);
    CODE(smtp_engine_new(m, o, NULL), SMTP_ERR_NULL);
    smtp_engine_free(NULL);
    CODE(smtp_engine_action(NULL), SMTP_ERR_NULL);
    EMPTY(smtp_engine_host(NULL));
    CODE(smtp_engine_port(NULL), 0);
    CODE(smtp_engine_connected(NULL, -1), SMTP_ERR_NULL);
    CODE(smtp_engine_connect_failed(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_output(NULL, &data, &length), SMTP_ERR_NULL);
    CODE(smtp_engine_output_done(NULL, 0), SMTP_ERR_NULL);
    CODE(smtp_engine_input(NULL, "a", 1), SMTP_ERR_NULL);
    CODE(smtp_engine_eof(NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_failed(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_timeout(NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_timed_out(NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_waits_for_reader(NULL), 0);
    CODE(smtp_engine_abort(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_fd(NULL), -1);
    CODE(smtp_engine_interest(NULL), 0);
    CODE(smtp_engine_ready(NULL, 0), SMTP_ERR_NULL);
    CODE(smtp_mailer_fd(NULL), -1);
    CODE(smtp_engine_result(NULL, &r), SMTP_ERR_NULL);
    CODE(smtp_engine_new(m, NULL, &e), SMTP_OK);
    smtp_engine_connected(e, -1);
    CODE(smtp_engine_output(e, NULL, &length), SMTP_ERR_NULL);
    CODE(smtp_engine_output(e, &data, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_input(e, NULL, 1), SMTP_ERR_NULL);
    smtp_engine_free(e);
    smtp_options_free(o);
    smtp_message_free(m);
}

/* Moves octets until there is an answer, and gives its ticket; -1 where the engine is done without one. */
static int64_t answered(smtp_engine *e, int fd)
{
    const void *data;
    size_t length;
    char buffer[4096];
    int64_t ticket = -1;

    while (smtp_engine_answer(e, &ticket) == 0) {
        if (smtp_engine_action(e) != SMTP_EXCHANGE) return -1;
        smtp_engine_output(e, &data, &length);
        if (length > 0) {
            smtp_engine_output_done(e, (size_t)write(fd, data, length));
        } else {
            ssize_t n = read(fd, buffer, sizeof buffer);
            if (n > 0) smtp_engine_input(e, buffer, (size_t)n);
            else smtp_engine_eof(e);
        }
    }
    return ticket;
}

/* A session for event loops, with blocking calls. */
/* What the release function of a transcript, which runs while its options are busy, asks an engine for. */
static smtp_options *while_busy;
static smtp_engine *busy_with;
static smtp_message *busy_message;
static size_t busy_heard;
static int64_t busy_answer;

static void ask_while_busy(void *user_data)
{
    smtp_engine *e;
    smtp_session *s;

    (void)user_data;
    busy_answer = smtp_engine_ask_sendmessage(busy_with, busy_message, while_busy);
    CODE(smtp_engine_new(busy_message, while_busy, &e), SMTP_ERR_BUSY);
    CHECK(e == NULL);
    CODE(smtp_engine_new_session("a.example", 25, while_busy, &e), SMTP_ERR_BUSY);
    CODE(smtp_session_open("127.0.0.1", 1, while_busy, &s), SMTP_ERR_BUSY);
    CHECK(s == NULL);
    CODE(smtp_options_set(while_busy, "debug", "1"), SMTP_ERR_BUSY);
}

static void talks(void)
{
    smtp_message *m = mail();
    smtp_options *o = to_sink();
    smtp_engine *e = NULL;
    smtp_result *r;
    int64_t ticket = 7, first;
    int fd;

    CODE(smtp_engine_new_session("127.0.0.1", port, o, &e), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DIAL);
    TEXT(smtp_engine_host(e), "127.0.0.1");
    CODE(smtp_engine_answer(e, &ticket), 0);
    fd = connected();
    CODE(smtp_engine_connected(e, fd), SMTP_OK);
    CODE(answered(e, fd), 0);
    CODE(smtp_engine_answer_code(e), 220);
    CODE(smtp_engine_answer_status(e), SMTP_OK);
    CODE(smtp_engine_answer_result(e, &r), SMTP_ERR_USAGE);
    first = smtp_engine_ask_ehlo(e, "c.example");
    CHECK(first > 0);
    CHECK(smtp_engine_ask_mail(e, "<a@c.example>", NULL) == first + 1);
    CHECK(smtp_engine_ask_rcpt(e, "no@d.example", NULL) == first + 2);
    CHECK(smtp_engine_ask_rcpt(e, "yes@d.example", NULL) == first + 3);
    CHECK(smtp_engine_ask_data(e, "Subject: x\n\nHi\n", 15) == first + 4);
    CHECK(answered(e, fd) == first);
    CHECK(strstr(smtp_engine_extensions(e), "SIZE 10000000") != NULL);
    EMPTY(smtp_engine_auth_types(e));
    CHECK(answered(e, fd) == first + 1);
    CODE(smtp_engine_answer_code(e), 250);
    CHECK(answered(e, fd) == first + 2);
    CODE(smtp_engine_answer_code(e), 550);
    TEXT(smtp_engine_answer_enhanced(e), "5.1.1");
    PART(smtp_engine_answer_text(e), "No such user");
    EMPTY(smtp_engine_answer_error(e));
    CHECK(answered(e, fd) == first + 3);
    CHECK(answered(e, fd) == first + 4);
    CODE(smtp_engine_answer_code(e), 250);
    CODE(smtp_engine_answer_result(e, NULL), SMTP_ERR_NULL);
    smtp_engine_answer_result(e, &r);
    CODE(smtp_result_reply_code(r), 250);
    smtp_result_free(r);
    CHECK(smtp_engine_ask_introduce(e) > 0);
    CHECK(answered(e, fd) > 0);
    CODE(smtp_engine_answer_status(e), SMTP_OK);
    while_busy = o;
    busy_with = e;
    busy_message = m;
    smtp_options_set_transcript(o, on_line, &busy_heard, ask_while_busy);
    smtp_options_set_transcript(o, NULL, NULL, NULL);
    CODE(busy_answer, SMTP_ERR_BUSY);
    CHECK(smtp_engine_ask_sendmessage(e, m, o) > 0);
    CHECK(answered(e, fd) > 0);
    CODE(smtp_engine_answer_status(e), SMTP_ERR_RECIPIENTS);
    CODE(smtp_engine_answer_result(e, &r), SMTP_ERR_RECIPIENTS);
    smtp_result_free(r);
    CODE(smtp_engine_ask_mail(e, "a b\n", NULL), SMTP_ERR_USAGE);
    CODE(smtp_engine_ask_rcpt(e, "a\r\nQUIT", NULL), SMTP_ERR_USAGE);
    CODE(smtp_engine_ask_command(e, "STARTTLS"), SMTP_ERR_USAGE);
    CODE(smtp_engine_ask_helo(e, "a b"), SMTP_ERR_USAGE);
    CODE(smtp_engine_ask_lhlo(e, "a b"), SMTP_ERR_USAGE);
    PART(smtp_engine_ask_error(e), "a b");
    CHECK(smtp_engine_ask_login(e, "u", "p", SMTP_AUTH_PLAIN) > 0);
    CHECK(answered(e, fd) > 0);
    CHECK(smtp_engine_answer_status(e) < 0);
    PART(smtp_engine_answer_error(e), "127.0.0.1");
    if (smtp_engine_ask_starttls(e) > 0) {
        CHECK(answered(e, fd) > 0);
    }
    CHECK(smtp_engine_ask_quit(e) > 0);
    CHECK(answered(e, fd) > 0);
    CHECK(answered(e, fd) == -1);
    CODE(smtp_engine_action(e), SMTP_DONE);
    smtp_engine_free(e);
    close(fd);

    CODE(smtp_engine_new_session("127.0.0.1", port, NULL, &e), SMTP_OK);
    fd = connected();
    smtp_engine_connected(e, fd);
    CODE(answered(e, fd), 0);
    CODE(smtp_engine_part(e), SMTP_OK);
    CHECK(answered(e, fd) == -1);
    smtp_engine_free(e);
    close(fd);

    CODE(smtp_engine_new_session("127.0.0.1", port, NULL, &e), SMTP_OK);
    CODE(smtp_engine_connect_failed(e, "no route"), SMTP_OK);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_answer(e, &ticket), 1);
    CODE(ticket, 0);
    CODE(smtp_engine_answer_status(e), SMTP_ERR_CONNECT);
    PART(smtp_engine_answer_error(e), "no route");
    CHECK(smtp_engine_ask_introduce(e) > 0);
    CODE(smtp_engine_answer(e, &ticket), 1);
    CODE(smtp_engine_answer_status(e), SMTP_ERR_CONNECT);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    smtp_engine_free(e);

    CODE(smtp_engine_new_session("", 0, NULL, &e), SMTP_ERR_USAGE);
    CODE(smtp_engine_action(e), SMTP_DONE);
    CODE(smtp_engine_result(e, &r), SMTP_ERR_USAGE);
    smtp_result_free(r);
    smtp_engine_free(e);
    CODE(smtp_engine_new_session(NULL, 0, NULL, &e), SMTP_ERR_NULL);
    CODE(smtp_engine_new_session("a", 0, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_ask_introduce(NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_answer(NULL, &ticket), SMTP_ERR_NULL);
    CODE(smtp_engine_answer(NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_engine_part(NULL), SMTP_ERR_NULL);
    EMPTY(smtp_engine_answer_text(NULL));
    smtp_options_free(o);
    smtp_message_free(m);
}

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
    smtp_mailer_free(mailer);
    smtp_mailer_free(NULL);
    smtp_options_free(o);
    smtp_options_free(bad);
    smtp_message_free(m);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "api PORT LMTP_PORT FOLDER\n");
        return 2;
    }
    port = (unsigned short)atoi(argv[1]);
    lmtp_port = (unsigned short)atoi(argv[2]);
    codes();
    messages(argv[3]);
    message_nulls();
    options();
    option_nulls();
    tls();
    addresses();
    no_result();
    sending();
    sessions();
    session_nulls();
    engines();
    talks();
    mailers();
    return summary();
}
