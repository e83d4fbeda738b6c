/* Signers: what they are given, what they add, and how they fail. */
#include "common.h"

/* What a signer has seen of one message, in memory of that message's. */
typedef struct {
    size_t octets, pieces;
} seen;

typedef struct {
    int signed_, released;
    int fails; /* says why; 2: says nothing; 3: says why, and returns 0; 4: so, with the message; 5: what it says is not UTF-8 */
    size_t octets;
    const char *fields;
} signer;

static int signs(void *user_data, smtp_signing *signing, const void *octets, size_t size)
{
    signer *own = user_data;
    seen *so_far = smtp_signing_kept(signing);

    if (so_far == NULL) {
        so_far = calloc(1, sizeof *so_far);
        CODE(smtp_signing_keep(signing, so_far, free), SMTP_OK);
    }
    if (octets != NULL) {
        CHECK(size > 0);
        CHECK(smtp_signing_time(signing) == 0);
        so_far->octets += size;
        so_far->pieces++;
        if (own->fails == 4) CODE(smtp_signing_fail(signing, "the card is out"), SMTP_ERR_SOURCE);
        return 0;
    }
    own->signed_++;
    own->octets = so_far->octets;
    CHECK(size == 0 && smtp_signing_time(signing) > 1700000000);
    CODE(smtp_signing_add(signing, "X-First: 1"), SMTP_OK);
    CODE(smtp_signing_add(signing, own->fields), own->fields == NULL ? SMTP_ERR_NULL : SMTP_OK);
    CODE(smtp_signing_add(signing, "X: \xff"), SMTP_ERR_USAGE);
    if (own->fails == 2) return -9;
    if (own->fails > 2) {
        CODE(smtp_signing_fail(signing, own->fails == 5 ? "\xff" : "the card is out"), SMTP_ERR_SOURCE);
        return 0;
    }
    return own->fails ? smtp_signing_fail(signing, "the card is out") : 0;
}

static void signer_released(void *user_data)
{
    ((signer *)user_data)->released++;
}

static void by_a_signer(void)
{
    smtp_options *o = to_sink(), *copy;
    smtp_message *m = mail();
    smtp_result *r = NULL;
    signer one = {0, 0, 0, 0, "X-Second: 2\r\n 3\n"};
    size_t before;

    CODE(smtp_options_add_signer(o, signs, &one, signer_released), SMTP_OK);
    CODE(smtp_sendmessage(m, o, &r), SMTP_OK);
    CODE(one.signed_, 1);
    CHECK(one.octets > 0);
    smtp_result_free(r);
    before = one.octets;
    copy = smtp_options_copy(o);
    smtp_options_free(o);
    CODE(one.released, 0);
    one.fields = NULL;
    CODE(smtp_sendmessage(m, copy, &r), SMTP_OK);
    CHECK(one.octets == before);
    smtp_result_free(r);
    one.fields = "not a field";
    CODE(smtp_sendmessage(m, copy, &r), SMTP_ERR_SOURCE);
    PART(smtp_result_error(r), "whole header fields");
    smtp_result_free(r);
    one.fields = "X: y";
    one.fails = 1;
    CODE(smtp_sendmessage(m, copy, &r), SMTP_ERR_SOURCE);
    PART(smtp_result_error(r), "cannot be signed: the card is out");
    CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
    smtp_result_free(r);
    one.fails = 2;
    CODE(smtp_sendmessage(m, copy, &r), SMTP_ERR_SOURCE);
    PART(smtp_result_error(r), "the function returned -9");
    smtp_result_free(r);
    for (one.fails = 3; one.fails <= 5; one.fails++) {
        CODE(smtp_sendmessage(m, copy, &r), SMTP_ERR_SOURCE);
        PART(smtp_result_error(r), one.fails == 5 ? "UTF-8" : "cannot be signed: the card is out");
        CODE(smtp_result_recipient_outcome(r, 0), SMTP_NOT_SENT);
        smtp_result_free(r);
    }
    smtp_options_free(copy);
    CODE(one.released, 1);
    CODE(one.signed_, 7);
    smtp_message_free(m);
    CODE(smtp_options_add_signer(NULL, signs, &one, signer_released), SMTP_ERR_NULL);
    CODE(one.released, 2);
    CODE(smtp_signing_add(NULL, "X: y"), SMTP_ERR_NULL);
    CODE(smtp_signing_fail(NULL, "x"), SMTP_ERR_NULL);
    CODE(smtp_signing_keep(NULL, &one, signer_released), SMTP_ERR_NULL);
    CODE(one.released, 3);
    CHECK(smtp_signing_kept(NULL) == NULL && smtp_signing_time(NULL) == 0);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    by_a_signer();
    return summary();
}
