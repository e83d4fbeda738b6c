/* A -commit script: what it is asked, and what its answer means. */
#include "smtp_tcl.h"

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
        DictPut(one, "message_id", TextFrom(smtp_ready_message_id(ready, i)));
        DictPut(one, "tag", TextFrom(smtp_ready_tag(ready, i)));
        DictPut(one, "index", Tcl_NewWideIntObj((Tcl_WideInt)smtp_ready_number(ready, i)));
        DictPut(one, "server", TextFrom(smtp_ready_server(ready, i)));
        DictPut(one, "recipients", recipients);
        DictPut(one, "attempt", Tcl_NewWideIntObj((Tcl_WideInt)smtp_ready_attempt(ready, i)));
        Tcl_ListObjAppendElement(NULL, list, one);
    }
    return list;
}

/* Any error withdraws the messages, and is why. */
static int CommitAsk(void *data, smtp_ready *ready)
{
    Script *script = data;
    Tcl_Interp *interp = script->interp;
    int answer = 0, result;
    Tcl_Obj *messages;

    if (Tcl_InterpDeleted(interp)) return smtp_ready_fail(ready, "the interpreter is deleted");
    messages = Messages(ready);
    result = ScriptCall(script, 1, &messages);
    if (Tcl_InterpDeleted(interp) || result != TCL_OK) {
        Tcl_DString why;

        ScriptWhy(script, "the error of -commit", &why);
        answer = smtp_ready_fail(ready, Tcl_DStringValue(&why));
        Tcl_DStringFree(&why);
    }
    ScriptDone(script);
    return answer;
}

int CommitOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *script)
{
    if (*Tcl_GetString(script) == '\0') return smtp_options_set_commit(options, NULL, NULL, NULL);
    return smtp_options_set_commit(options, CommitAsk, ScriptNew(interp, script), ScriptDrop);
}
