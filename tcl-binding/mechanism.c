/* A -mechanism: a login mechanism that is a script. */
#include "smtp_tcl.h"
#include <stdlib.h>
#include <string.h>

/* The library holds it as long as it may ask. */
typedef struct Mechanism {
    Tcl_Interp *interp;
    Tcl_Obj *script;
    int refs;
} Mechanism;

static void MechanismDrop(void *data)
{
    Mechanism *mechanism = data;

    if (--mechanism->refs > 0) return;
    Tcl_DecrRefCount(mechanism->script);
    free(mechanism);
}

static void StateDrop(void *data)
{
    Tcl_DecrRefCount((Tcl_Obj *)data);
}

static void Put(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}

static Tcl_Obj *Octets(const void *data, size_t size)
{
    return Tcl_NewByteArrayObj(data, (Tcl_Size)size);
}

/* What the script is told. */
static Tcl_Obj *Facts(const smtp_login *login)
{
    static const char *const texts[] = {"host", "port", "protocol", "username", "authzid", "tls_version"};
    static const char *const flags[] = {"encrypted", "verified"};
    static const char *const bindings[] = {"tls-exporter", "tls-unique", "tls-server-end-point"};
    Tcl_Obj *dict = Tcl_NewDictObj(), *bound = Tcl_NewDictObj(), *kept = smtp_login_kept(login);
    const void *data;
    size_t i, size;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) Put(dict, texts[i], TextFrom(smtp_login_fact(login, texts[i])));
    for (i = 0; i < sizeof flags / sizeof *flags; i++) {
        Put(dict, flags[i], Tcl_NewBooleanObj(*smtp_login_fact(login, flags[i]) != '\0'));
    }
    for (i = 0; i < sizeof bindings / sizeof *bindings; i++) {
        data = smtp_login_data(login, bindings[i], &size);
        if (data != NULL) Put(bound, bindings[i], Octets(data, size));
    }
    Put(dict, "bindings", bound);
    Put(dict, "state", kept != NULL ? kept : Tcl_NewObj());
    data = smtp_login_data(login, "challenge", &size);
    if (data != NULL) Put(dict, "challenge", Octets(data, size));
    return dict;
}

/* The answer of the script: `more` or `done`, a response where there is one, and a state. -1 and the reason in the interpreter's result. */
static int64_t Answer(Tcl_Interp *interp, smtp_login *login, unsigned char *response, size_t size)
{
    Tcl_Obj *result = Tcl_GetObjResult(interp), **items;
    Tcl_Size count, length = 0;
    const unsigned char *octets = NULL;
    const char *word;
    int done;

    Tcl_IncrRefCount(result);
    if (Tcl_ListObjGetElements(interp, result, &count, &items) != TCL_OK) count = 0;
    word = count > 0 ? Tcl_GetString(items[0]) : "";
    done = strcmp(word, "done") == 0;
    if (count < 1 || count > 3 || (!done && strcmp(word, "more") != 0)) {
        Tcl_SetObjResult(interp, Tcl_NewStringObj("the script must return a list of \"more\" or \"done\", a response and a state", -1));
        length = -1;
    } else if (count > 1) {
        octets = OctetsOf(interp, items[1], "the response", &length);
        if (octets == NULL) {
            length = -1;
        } else if ((size_t)length > size) {
            Tcl_SetObjResult(interp, Tcl_NewStringObj("the response is longer than 65536 octets", -1));
            length = -1;
        } else {
            memcpy(response, octets, (size_t)length);
        }
    }
    if (length >= 0) {
        if (done) smtp_login_done(login);
        if (count > 2) {
            Tcl_IncrRefCount(items[2]);
            smtp_login_keep(login, items[2], StateDrop);
        }
    }
    Tcl_DecrRefCount(result);
    return length >= 0 && count == 1 ? SMTP_LOGIN_SERVER_FIRST : (int64_t)length;
}

static void Why(Tcl_Interp *interp, char *into, size_t size)
{
    Tcl_DString text;
    const char *why = TextOf(interp, Tcl_GetObjResult(interp), "the error of -mechanism", &text);

    strncpy(into, why != NULL && *why != '\0' ? why : "the script failed", size - 1);
    into[size - 1] = '\0';
    if (why != NULL) Tcl_DStringFree(&text);
}

static int64_t Step(void *data, smtp_login *login, void *response, size_t size)
{
    Mechanism *mechanism = data;
    Tcl_Interp *interp = mechanism->interp;
    Tcl_Obj *call;
    int64_t answer = -1;
    int result;

    if (Tcl_InterpDeleted(interp)) {
        strcpy(response, "the interpreter is deleted");
        return -1;
    }
    mechanism->refs++;
    Tcl_Preserve(interp);
    call = Tcl_DuplicateObj(mechanism->script);
    Tcl_IncrRefCount(call);
    result = Tcl_ListObjAppendElement(interp, call, Facts(login));
    if (result == TCL_OK) result = ScriptEval(interp, call);
    if (Tcl_InterpDeleted(interp)) {
        strcpy(response, "the interpreter was deleted");
    } else {
        if (result == TCL_OK) answer = Answer(interp, login, response, size);
        if (answer == -1) Why(interp, response, size);
        Tcl_ResetResult(interp);
    }
    Tcl_DecrRefCount(call);
    Tcl_Release(interp);
    MechanismDrop(mechanism);
    return answer;
}

int MechanismOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *value, int *status)
{
    Mechanism *mechanism;
    Tcl_Size count, length = 0;
    Tcl_Obj **items;
    Tcl_DString text;
    const char *name, *secret = "shows";

    if (Tcl_ListObjGetElements(interp, value, &count, &items) != TCL_OK) return TCL_ERROR;
    if (count == 3) secret = Tcl_GetString(items[2]);
    if (count > 1) Tcl_GetStringFromObj(items[1], &length);
    if (count < 2 || count > 3 || length == 0 || (strcmp(secret, "shows") != 0 && strcmp(secret, "hides") != 0)) {
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("-mechanism expects a name, a script, and \"shows\" or \"hides\", not %s", Tcl_GetString(value)));
        Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
        return TCL_ERROR;
    }
    name = TextOf(interp, items[0], "-mechanism", &text);
    if (name == NULL) return TCL_ERROR;
    mechanism = calloc(1, sizeof *mechanism);
    if (mechanism == NULL) Tcl_Panic("smtp: no memory");
    mechanism->interp = interp;
    mechanism->refs = 1;
    mechanism->script = items[1];
    Tcl_IncrRefCount(mechanism->script);
    *status = smtp_options_add_mechanism(options, name, *secret == 's', Step, mechanism, MechanismDrop);
    Tcl_DStringFree(&text);
    return TCL_OK;
}
