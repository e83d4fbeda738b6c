/* A -tlspolicy script, which decides whether a message may go in plain text. */
#include "smtp_tcl.h"
#include <string.h>

static int PolicyAsk(void *data, int code, const char *diagnostic)
{
    Script *policy = data;
    Tcl_Interp *interp = policy->interp;
    int answer = SMTP_SECURE, result;
    Tcl_Obj *words[2];

    if (Tcl_InterpDeleted(interp)) return SMTP_SECURE;
    words[0] = Tcl_NewIntObj(code);
    words[1] = TextFrom(diagnostic);
    result = ScriptCall(policy, 2, words);
    if (Tcl_InterpDeleted(interp)) {
        answer = SMTP_SECURE;
    } else if (result == TCL_OK) {
        if (strcmp(Tcl_GetStringResult(interp), "insecure") == 0) answer = SMTP_INSECURE;
    } else if (policy->error == NULL) {
        policy->error = Tcl_GetReturnOptions(interp, TCL_ERROR);
        Tcl_IncrRefCount(policy->error);
        policy->message = Tcl_GetObjResult(interp);
        Tcl_IncrRefCount(policy->message);
    }
    ScriptDone(policy);
    return answer;
}

Tcl_Obj *PolicyError(Script *policy, Tcl_Obj **message)
{
    Tcl_Obj *error;

    if (policy == NULL || policy->error == NULL) return NULL;
    error = policy->error;
    *message = policy->message;
    policy->error = policy->message = NULL;
    return error;
}

int PolicyOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *words, Script **script)
{
    *script = ScriptNew(interp, words);
    (*script)->refs++;
    return smtp_options_set_tlspolicy(options, PolicyAsk, *script, ScriptDrop);
}
