/* names: options, fields and verbs by their names. Needs no server. */
#include <libsmtp.h>
#include <stdio.h>
#include <string.h>

static int passed, failed;

#define CHECK(holds) ((holds) ? (void)passed++ : (void)(failed++, printf("%s:%d: %s\n", __FILE__, __LINE__, #holds)))
#define IS(text, wanted) CHECK(strcmp((text), (wanted)) == 0)

static void check_words(smtp_options *o, const char *name, const char *words)
{
    char word[32];
    size_t length;

    for (; *words != '\0'; words += length + (words[length] != '\0')) {
        length = strcspn(words, " ");
        CHECK(length > 0 && length < sizeof word);
        if (length >= sizeof word) return;
        memcpy(word, words, length);
        word[length] = '\0';
        CHECK(smtp_options_set(o, name, word) == SMTP_OK);
    }
}

static void options(void)
{
    size_t i, flags = 0;
    smtp_options *o = smtp_options_new();

    for (i = 0; smtp_option_name(i) != NULL; i++) {
        const char *kind = smtp_option_kind(i);
        int adds = strcmp(kind, "header") == 0 || strcmp(kind, "recipient") == 0;

        CHECK(kind[0] != '\0' && smtp_option_help(i)[0] != '\0');
        CHECK((smtp_option_words(i)[0] != '\0') == (strcmp(kind, "word") == 0));
        check_words(o, smtp_option_name(i), smtp_option_words(i));
        flags += strcmp(kind, "flag") == 0;
        /* An empty value is the default of every option but those that add. */
        CHECK((smtp_options_set(o, smtp_option_name(i), "") == SMTP_OK) == !adds);
    }
    CHECK(i > 50 && flags > 10);
    CHECK(smtp_option_kind(i) == NULL && smtp_option_words(i) == NULL && smtp_option_help(i) == NULL);
    smtp_options_free(o);
}

static void fields(void)
{
    smtp_message *m = smtp_message_new();
    smtp_options *o = smtp_options_new();
    smtp_result *r = NULL;
    const smtp_value *all;

    smtp_options_set(o, "recipients", "no address");
    CHECK(smtp_sendmessage(m, o, &r) == SMTP_ERR_USAGE);
    all = smtp_result_value(r);
    CHECK(smtp_value_type(all) == SMTP_VALUE_RECORD);
    IS(smtp_value_name(all, 0), "status");
    IS(smtp_value_text(smtp_value_item(all, 0)), "usage");
    IS(smtp_value_name(all, smtp_value_count(all)), "");
    CHECK(smtp_value_item(all, smtp_value_count(all)) == NULL);
    IS(smtp_value_text(smtp_value_find(all, "error.kind")), "usage");
    CHECK(smtp_value_type(smtp_value_find(all, "error.kind")) == SMTP_VALUE_TEXT);
    CHECK(smtp_value_type(smtp_value_find(all, "error.transient")) == SMTP_VALUE_FLAG);
    CHECK(smtp_value_type(smtp_value_find(all, "octets")) == SMTP_VALUE_NUMBER);
    CHECK(smtp_value_type(smtp_value_find(all, "attempts")) == SMTP_VALUE_LIST);
    CHECK(smtp_value_type(smtp_value_find(all, "queue_id")) == SMTP_VALUE_NONE);
    CHECK(smtp_value_find(all, "queue_id") != NULL);
    CHECK(smtp_value_find(all, "nothing") == NULL && smtp_value_find(all, "attempts.0") == NULL);
    CHECK(smtp_value_find(all, "") == NULL && smtp_value_find(all, NULL) == NULL);
    CHECK(smtp_value_find(all, "error.kind.x") == NULL);
    /* What is not there is nothing, so that calls can stand within each other. */
    CHECK(smtp_result_value(NULL) == NULL);
    CHECK(smtp_value_type(NULL) == SMTP_VALUE_NONE && smtp_value_count(NULL) == 0 && smtp_value_number(NULL) == 0);
    CHECK(smtp_value_item(NULL, 0) == NULL && smtp_value_find(NULL, "x") == NULL);
    IS(smtp_value_name(NULL, 0), "");
    IS(smtp_value_text(smtp_value_find(smtp_value_item(NULL, 1), "x")), "");
    smtp_result_free(r);
    smtp_options_free(o);
    smtp_message_free(m);
}

static void verbs(void)
{
    static const char *const ann[] = {"ann", NULL}, *const broken[] = {"a\nQUIT", NULL};
    smtp_engine *e = NULL;

    CHECK(smtp_engine_new_session("127.0.0.1", 25, NULL, &e) == SMTP_OK);
    CHECK(smtp_engine_ask(e, "frobnicate", NULL) == SMTP_ERR_USAGE);
    CHECK(strstr(smtp_engine_ask_error(e), "use one of ehlo") != NULL);
    CHECK(smtp_engine_ask(e, "vrfy", NULL) == SMTP_ERR_USAGE);
    CHECK(strstr(smtp_engine_ask_error(e), "takes name") != NULL);
    CHECK(smtp_engine_ask(e, "rset", ann) == SMTP_ERR_USAGE);
    CHECK(smtp_engine_ask(e, "vrfy", broken) == SMTP_ERR_USAGE);
    CHECK(smtp_engine_ask(e, NULL, NULL) == SMTP_ERR_NULL);
    CHECK(smtp_engine_ask(NULL, "rset", NULL) == SMTP_ERR_NULL);
    CHECK(smtp_engine_ask(e, "vrfy", ann) > 0);
    IS(smtp_engine_ask_error(e), "");
    CHECK(smtp_engine_ask(e, "rset", NULL) > 0);
    smtp_engine_free(e);
}

int main(void)
{
    options();
    fields();
    verbs();
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
