/* What became of a message, in the words of Tcl. */
#include "smtp_tcl.h"
#include <stdio.h>
#include <string.h>

static void Put(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}

static void Text(Tcl_Obj *dict, const char *key, const char *value)
{
    Put(dict, key, TextFrom(value));
}

static void Number(Tcl_Obj *dict, const char *key, int value)
{
    Put(dict, key, Tcl_NewIntObj(value));
}

static Tcl_Obj *Recipients(const smtp_result *r)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    size_t i;

    for (i = 0; i < smtp_result_recipient_count(r); i++) {
        Tcl_Obj *one = Tcl_NewDictObj();

        Text(one, "address", smtp_result_recipient_address(r, i));
        Text(one, "outcome", smtp_outcome_name(smtp_result_recipient_outcome(r, i)));
        Text(one, "step", smtp_result_recipient_step(r, i));
        Number(one, "code", smtp_result_recipient_code(r, i));
        Text(one, "enhanced", smtp_result_recipient_enhanced(r, i));
        Text(one, "diagnostic", smtp_result_recipient_text(r, i));
        Tcl_ListObjAppendElement(NULL, list, one);
    }
    return list;
}

static Tcl_Obj *Attempts(const smtp_result *r)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    size_t i, j;

    for (i = 0; i < smtp_result_attempt_count(r); i++) {
        Tcl_Obj *one = Tcl_NewDictObj(), *logins = Tcl_NewListObj(0, NULL);
        int verified = smtp_result_attempt_tls_verified(r, i);

        Text(one, "server", smtp_result_attempt_server(r, i));
        Text(one, "peer", smtp_result_attempt_peer(r, i));
        Text(one, "error", smtp_result_attempt_error(r, i));
        Text(one, "kind", smtp_result_attempt_error_kind(r, i));
        Text(one, "step", smtp_result_attempt_error_step(r, i));
        Number(one, "code", smtp_result_attempt_error_code(r, i));
        Text(one, "enhanced", smtp_result_attempt_error_enhanced(r, i));
        Number(one, "transient", smtp_result_attempt_transient(r, i));
        Number(one, "tls", verified >= 0);
        if (verified >= 0) {
            Number(one, "verified", verified);
            Text(one, "whynot", smtp_result_attempt_tls_why_not(r, i));
            Text(one, "certificate", smtp_result_attempt_tls_certificate(r, i));
            Text(one, "version", smtp_result_attempt_tls_version(r, i));
            Text(one, "cipher", smtp_result_attempt_tls_cipher(r, i));
        }
        Text(one, "policy", smtp_result_attempt_policy(r, i));
        for (j = 0; j < smtp_result_attempt_login_count(r, i); j++) {
            Tcl_ListObjAppendElement(NULL, logins, TextFrom(smtp_result_attempt_login_mechanism(r, i, j)));
            Tcl_ListObjAppendElement(NULL, logins, TextFrom(smtp_result_attempt_login_error(r, i, j)));
        }
        Put(one, "logins", logins);
        Tcl_ListObjAppendElement(NULL, list, one);
    }
    return list;
}

/* The first line with the enhanced status code in front, as tcllib's diagnostic has it. */
static Tcl_Obj *FirstLine(const char *enhanced, const char *text, Tcl_Obj **others)
{
    Tcl_Obj *whole = TextFrom(text), *first, *rest = Tcl_NewListObj(0, NULL);
    const char *string = Tcl_GetString(whole), *end = strchr(string, '\n');

    first = Tcl_NewStringObj(enhanced, -1);
    if (*enhanced != '\0' && *string != '\0') Tcl_AppendToObj(first, " ", 1);
    Tcl_AppendToObj(first, string, end == NULL ? -1 : (Tcl_Size)(end - string));
    while (end != NULL) {
        const char *line = end + 1;

        end = strchr(line, '\n');
        Tcl_ListObjAppendElement(NULL, rest, Tcl_NewStringObj(line, end == NULL ? -1 : (Tcl_Size)(end - line)));
    }
    Tcl_DecrRefCount(whole);
    if (others != NULL) *others = rest;
    else Tcl_DecrRefCount(rest);
    return first;
}

static Tcl_Obj *Refused(const smtp_result *r)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    size_t i;

    for (i = 0; i < smtp_result_refused_count(r); i++) {
        Tcl_Obj *three[3];

        three[0] = TextFrom(smtp_result_refused_address(r, i));
        three[1] = Tcl_NewIntObj(smtp_result_refused_code(r, i));
        three[2] = FirstLine(smtp_result_refused_enhanced(r, i), smtp_result_refused_text(r, i), NULL);
        Tcl_ListObjAppendElement(NULL, list, Tcl_NewListObj(3, three));
    }
    return list;
}

Tcl_Obj *ReportDict(const smtp_result *r)
{
    Tcl_Obj *dict = Tcl_NewDictObj(), *used = Tcl_NewListObj(0, NULL), *avoided = Tcl_NewListObj(0, NULL), *error;
    size_t i;

    Text(dict, "status", smtp_code_name(smtp_result_status(r)));
    Number(dict, "sent", smtp_result_sent(r));
    Put(dict, "refused", Refused(r));
    Put(dict, "recipients", Recipients(r));
    Text(dict, "queueid", smtp_result_queue_id(r));
    Number(dict, "code", smtp_result_reply_code(r));
    Text(dict, "enhanced", smtp_result_reply_enhanced(r));
    Text(dict, "diagnostic", smtp_result_reply_text(r));
    Put(dict, "octets", Tcl_NewWideIntObj((Tcl_WideInt)smtp_result_octets(r)));
    for (i = 0; i < smtp_result_extension_count(r); i++) {
        Tcl_ListObjAppendElement(NULL, used, TextFrom(smtp_result_extension(r, i)));
    }
    Put(dict, "used", used);
    for (i = 0; i < smtp_result_avoided_count(r); i++) {
        Tcl_ListObjAppendElement(NULL, avoided, TextFrom(smtp_result_avoided(r, i)));
    }
    Put(dict, "avoided", avoided);
    error = Tcl_NewDictObj();
    if (*smtp_result_error(r) != '\0') {
        Text(error, "message", smtp_result_error(r));
        Text(error, "kind", smtp_result_error_kind(r));
        Text(error, "step", smtp_result_error_step(r));
        Text(error, "server", smtp_result_error_server(r));
        Number(error, "code", smtp_result_error_code(r));
        Text(error, "enhanced", smtp_result_error_enhanced(r));
        Text(error, "diagnostic", smtp_result_error_text(r));
        Number(error, "transient", smtp_result_transient(r));
    }
    Put(dict, "error", error);
    Put(dict, "attempts", Attempts(r));
    return dict;
}

/* Steps behind which tcllib says 7: the server is in the middle of a transaction. */
static int InTransaction(const char *step)
{
    static const char *const steps[] = {"mail", "rcpt", "data", "body", "final", "rset", NULL};
    int i;

    for (i = 0; steps[i] != NULL; i++) {
        if (strcmp(steps[i], step) == 0) return 1;
    }
    return 0;
}

/* A list of refused recipients says what became of all: with -atleastone the others have the message, without it nobody
 * has. A server that says 421 to RCPT has refused that recipient, and that it is gone then is no news; but with
 * -atleastone the others are not served, unless there are none. */
static int OnlyRefused(const smtp_result *r, const Options *options)
{
    size_t refused = smtp_result_refused_count(r);
    int gone = smtp_result_error_code(r) == 421 && strcmp(smtp_result_error_step(r), "rcpt") == 0;

    if (*smtp_result_error(r) == '\0') return 1;
    if (smtp_result_status(r) != SMTP_ERR_RECIPIENTS && !gone) return 0;
    return refused > 0 && (!options->atLeastOne || refused == smtp_result_recipient_count(r));
}

int Outcome(const smtp_result *r, const Options *options, Tcl_Obj **value, Tcl_Obj **errorCode)
{
    const char *error = smtp_result_error(r);
    const char *enhanced = smtp_result_error_enhanced(r);
    int code = smtp_result_error_code(r), told = code;
    size_t attempts = smtp_result_attempt_count(r);
    Tcl_Obj *four[4], *six[6];

    if (OnlyRefused(r, options)) {
        *value = Refused(r);
        *errorCode = Tcl_NewObj();
        return TCL_OK;
    }
    if (code == 0 && attempts > 1) { /* of several servers the last one, as tcllib has it */
        told = smtp_result_attempt_error_code(r, attempts - 1);
        enhanced = smtp_result_attempt_error_enhanced(r, attempts - 1);
    }
    four[0] = Tcl_NewStringObj("SMTP", -1);
    four[1] = TextFrom(smtp_result_error_kind(r));
    four[2] = Tcl_NewIntObj(told);
    four[3] = TextFrom(enhanced);
    *errorCode = Tcl_NewListObj(4, four);
    if (smtp_result_status(r) == SMTP_ERR_USAGE || !InTransaction(smtp_result_error_step(r))) {
        *value = TextFrom(error);
        return TCL_ERROR;
    }
    six[0] = Tcl_NewStringObj("code", -1);
    six[1] = Tcl_NewIntObj(told != 0 ? told : 400);
    six[2] = Tcl_NewStringObj("diagnostic", -1);
    six[4] = Tcl_NewStringObj("args", -1);
    if (code != 0) six[3] = FirstLine(smtp_result_error_enhanced(r), smtp_result_error_text(r), &six[5]);
    else six[3] = TextFrom(error), six[5] = Tcl_NewListObj(0, NULL);
    *value = Tcl_NewListObj(6, six);
    return NOTHING_SENT;
}

int Unbegun(int status, const char *text, Tcl_Obj **value, Tcl_Obj **errorCode, Tcl_Obj **report)
{
    Tcl_Obj *dict = Tcl_NewDictObj(), *error = Tcl_NewDictObj(), *four[4];
    const char *const kind = smtp_code_name(status);

    Text(error, "message", text);
    Text(error, "kind", kind);
    Text(dict, "status", kind);
    Number(dict, "sent", 0);
    Put(dict, "refused", Tcl_NewObj());
    Put(dict, "recipients", Tcl_NewObj());
    Put(dict, "error", error);
    Put(dict, "attempts", Tcl_NewObj());
    four[0] = Tcl_NewStringObj("SMTP", -1);
    four[1] = Tcl_NewStringObj(kind, -1);
    four[2] = Tcl_NewIntObj(0);
    four[3] = Tcl_NewObj();
    *value = TextFrom(text);
    *errorCode = Tcl_NewListObj(4, four);
    *report = dict;
    return TCL_ERROR;
}

int Unreported(State *state)
{
    if (state->report != NULL) Tcl_DecrRefCount(state->report);
    state->report = NULL;
    return TCL_ERROR;
}
