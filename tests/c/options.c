/* Every function about options, TLS, codes and addresses, each also with NULL for every pointer. */
#include "common.h"

static void codes(void)
{
    int code;

    TEXT(smtp_library_version(), SMTP_VERSION);
    CODE(smtp_library_version_number(), SMTP_VERSION_NUMBER);
    for (code = SMTP_ERR_COMMIT; code <= SMTP_PARTIAL; code++) {
        CHECK(smtp_code_name(code)[0] != '\0');
        CHECK(smtp_code_text(code)[0] != '\0');
    }
    TEXT(smtp_code_name(SMTP_ERR_UNKNOWN), "unknown");
    EMPTY(smtp_code_name(2));
    EMPTY(smtp_code_text(SMTP_ERR_COMMIT - 1));
    TEXT(smtp_outcome_name(SMTP_NOT_SENT), "not_sent");
    EMPTY(smtp_outcome_name(0));
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

int main(int argc, char **argv)
{
    begin(argc, argv);
    codes();
    options();
    option_nulls();
    tls();
    addresses();
    return summary();
}
