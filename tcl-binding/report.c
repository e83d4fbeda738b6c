/* What became of a message, in the words of Tcl. */
#include "smtp_tcl.h"
#include <string.h>

static void Put(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
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
        three[1] = Tcl_NewIntObj(smtp_result_refused_reply_code(r, i));
        three[2] = FirstLine(smtp_result_refused_reply_enhanced(r, i), smtp_result_refused_reply_text(r, i), NULL);
        Tcl_ListObjAppendElement(NULL, list, Tcl_NewListObj(3, three));
    }
    return list;
}

/* What is not there is empty; a flag is 1 or 0. */
static Tcl_Obj *Value(const smtp_value *value)
{
    size_t i, count = smtp_value_count(value);
    Tcl_Obj *made;

    switch (smtp_value_type(value)) {
    case SMTP_VALUE_FLAG:
    case SMTP_VALUE_NUMBER: return Tcl_NewWideIntObj((Tcl_WideInt)smtp_value_number(value));
    case SMTP_VALUE_TEXT: return TextFrom(smtp_value_text(value));
    case SMTP_VALUE_LIST:
        made = Tcl_NewListObj(0, NULL);
        for (i = 0; i < count; i++) Tcl_ListObjAppendElement(NULL, made, Value(smtp_value_item(value, i)));
        return made;
    case SMTP_VALUE_RECORD:
        made = Tcl_NewDictObj();
        for (i = 0; i < count; i++) Put(made, smtp_value_name(value, i), Value(smtp_value_item(value, i)));
        return made;
    default: return Tcl_NewObj();
    }
}

Tcl_Obj *ReportDict(const smtp_result *r)
{
    return Value(smtp_result_value(r));
}

/* Steps after which tcllib says 7: the server is in the middle of a transaction. */
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
 * has. A server that says 421 to RCPT has refused that recipient, and that it is gone then is not news; but with
 * -atleastone the others are not served, unless there are none. */
static int OnlyRefused(const smtp_result *r, const Options *options)
{
    size_t refused = smtp_result_refused_count(r);
    int gone = smtp_result_error_reply_code(r) == 421 && strcmp(smtp_result_error_step(r), "rcpt") == 0;

    if (*smtp_result_error(r) == '\0') return 1;
    if (smtp_result_status(r) != SMTP_ERR_RECIPIENTS && !gone) return 0;
    return refused > 0 && (!options->atLeastOne || refused == smtp_result_recipient_count(r));
}

int Outcome(const smtp_result *r, const Options *options, Tcl_Obj **value, Tcl_Obj **errorCode)
{
    const char *error = smtp_result_error(r);
    const char *enhanced = smtp_result_error_reply_enhanced(r);
    int code = smtp_result_error_reply_code(r), told = code;
    size_t attempts = smtp_result_attempt_count(r);
    Tcl_Obj *four[4], *six[6];

    if (OnlyRefused(r, options)) {
        *value = Refused(r);
        *errorCode = Tcl_NewObj();
        return TCL_OK;
    }
    if (code == 0 && attempts > 1) { /* of several servers the last one, as tcllib has it */
        told = smtp_result_attempt_error_reply_code(r, attempts - 1);
        enhanced = smtp_result_attempt_error_reply_enhanced(r, attempts - 1);
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
    if (code != 0) six[3] = FirstLine(smtp_result_error_reply_enhanced(r), smtp_result_error_reply_text(r), &six[5]);
    else six[3] = TextFrom(error), six[5] = Tcl_NewListObj(0, NULL);
    *value = Tcl_NewListObj(6, six);
    return NOTHING_SENT;
}

void Announce(Tcl_Interp *interp, Tcl_Obj *command, int code, Tcl_Obj *value, Tcl_Obj *errorCode, Tcl_Obj *report)
{
    Tcl_Obj *call = Tcl_DuplicateObj(command);

    Tcl_IncrRefCount(call);
    if (Tcl_ListObjAppendElement(interp, call, Tcl_NewIntObj(code)) == TCL_OK) {
        Tcl_ListObjAppendElement(NULL, call, value);
        Tcl_ListObjAppendElement(NULL, call, report);
        if (code != TCL_OK) Tcl_SetVar2Ex(interp, "errorCode", NULL, errorCode, TCL_GLOBAL_ONLY);
        Tcl_ResetResult(interp);
        code = Tcl_EvalObjEx(interp, call, TCL_EVAL_GLOBAL);
    } else {
        code = TCL_ERROR;
    }
    if (code != TCL_OK) Tcl_BackgroundException(interp, code);
    Tcl_DecrRefCount(call);
}

smtp_result *Unbegun(int status, const char *text)
{
    smtp_result *result = NULL;

    if (smtp_result_new(status, text, &result) != SMTP_OK) Tcl_Panic("smtp: no result");
    return result;
}

int Unreported(State *state)
{
    if (state->report != NULL) Tcl_DecrRefCount(state->report);
    state->report = NULL;
    return TCL_ERROR;
}
