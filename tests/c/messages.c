/* Every function about messages, each also with NULL for every pointer. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <sys/stat.h>
#include <unistd.h>

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

static void messages(void)
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
    PART(smtp_message_error(m), "`value` is not UTF-8");

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
    sprintf(file, "%s/pipe", folder);
    unlink(file);
#ifndef _WIN32
    CODE(mkfifo(file, 0600), 0);
    CODE(smtp_message_set_message_file(part, file), SMTP_OK);
    CODE(smtp_message_size(part, &size), SMTP_ERR_SOURCE);
    PART(smtp_message_error(part), "/pipe is a pipe or a device, not a file");
#endif
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
    CODE(smtp_message_add_calendar(NULL, "a"), SMTP_ERR_NULL);
    CODE(smtp_message_add_calendar(m, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_add_calendar(m, "no calendar"), SMTP_ERR_USAGE);
    CODE(smtp_message_set_unsubscribe(m, NULL, NULL), SMTP_ERR_NULL);
    CODE(smtp_message_set_unsubscribe(m, "http://example.org", NULL), SMTP_ERR_USAGE);
    CODE(smtp_message_set_unsubscribe(m, "https://example.org/1", "nobody"), SMTP_ERR_USAGE);
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

int main(int argc, char **argv)
{
    begin(argc, argv);
    messages();
    message_nulls();
    return summary();
}
