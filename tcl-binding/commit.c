/* A -commit script: what it is asked, and what its answer means. */
#include "smtp_tcl.h"
#include <stdlib.h>

/* The library holds it as long as it may ask. */
typedef struct Commit {
    Tcl_Interp *interp;
    Tcl_Obj *script;
    int refs;
} Commit;

static void CommitDrop(void *data)
{
    Commit *commit = data;

    if (--commit->refs > 0) return;
    Tcl_DecrRefCount(commit->script);
    free(commit);
}

static void Put(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}

/* The messages that are ready, a dict each. */
static Tcl_Obj *Messages(const smtp_ready *ready)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);
    size_t i, j;

    for (i = 0; i < smtp_ready_count(ready); i++) {
        Tcl_Obj *one = Tcl_NewDictObj(), *recipients = Tcl_NewListObj(0, NULL);

        for (j = 0; j < smtp_ready_recipients(ready, i); j++) {
            Tcl_ListObjAppendElement(NULL, recipients, TextFrom(smtp_ready_recipient(ready, i, j)));
        }
        Put(one, "message_id", TextFrom(smtp_ready_message_id(ready, i)));
        Put(one, "tag", TextFrom(smtp_ready_tag(ready, i)));
        Put(one, "index", Tcl_NewWideIntObj((Tcl_WideInt)smtp_ready_number(ready, i)));
        Put(one, "server", TextFrom(smtp_ready_server(ready, i)));
        Put(one, "recipients", recipients);
        Put(one, "attempt", Tcl_NewWideIntObj((Tcl_WideInt)smtp_ready_attempt(ready, i)));
        Tcl_ListObjAppendElement(NULL, list, one);
    }
    return list;
}

/* Any error withdraws the messages, and is why. */
static int CommitAsk(void *data, smtp_ready *ready)
{
    Commit *commit = data;
    Tcl_Interp *interp = commit->interp;
    Tcl_Obj *call;
    int answer = 0, result;

    if (Tcl_InterpDeleted(interp)) return smtp_ready_fail(ready, "the interpreter is deleted");
    commit->refs++;
    Tcl_Preserve(interp);
    call = Tcl_DuplicateObj(commit->script);
    Tcl_IncrRefCount(call);
    result = Tcl_ListObjAppendElement(interp, call, Messages(ready));
    if (result == TCL_OK) result = Tcl_EvalObjEx(interp, call, TCL_EVAL_GLOBAL);
    if (Tcl_InterpDeleted(interp)) {
        answer = smtp_ready_fail(ready, "the interpreter was deleted");
    } else {
        if (result != TCL_OK && result != TCL_RETURN) {
            Tcl_DString text;
            const char *why = TextOf(interp, Tcl_GetObjResult(interp), "the error of -commit", &text);

            answer = smtp_ready_fail(ready, why != NULL ? why : "the script failed");
            if (why != NULL) Tcl_DStringFree(&text);
        }
        Tcl_ResetResult(interp);
    }
    Tcl_DecrRefCount(call);
    Tcl_Release(interp);
    CommitDrop(commit);
    return answer;
}

int CommitOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *script)
{
    Commit *commit;

    if (*Tcl_GetString(script) == '\0') return smtp_options_set_commit(options, NULL, NULL, NULL);
    commit = calloc(1, sizeof *commit);
    if (commit == NULL) Tcl_Panic("smtp: no memory");
    commit->interp = interp;
    commit->refs = 1;
    commit->script = script;
    Tcl_IncrRefCount(script);
    return smtp_options_set_commit(options, CommitAsk, commit, CommitDrop);
}
