/* A script that one of the library's functions calls. The library holds it as long as it may. */
#include "smtp_tcl.h"
#include <stdlib.h>

Script *ScriptNew(Tcl_Interp *interp, Tcl_Obj *script)
{
    Script *own = calloc(1, sizeof *own);

    if (own == NULL) Tcl_Panic("smtp: no memory");
    own->interp = interp;
    own->refs = 1;
    own->script = script;
    Tcl_IncrRefCount(script);
    return own;
}

void ScriptDrop(void *data)
{
    Script *own = data;

    if (--own->refs > 0) return;
    Tcl_DecrRefCount(own->script);
    if (own->error != NULL) Tcl_DecrRefCount(own->error);
    if (own->message != NULL) Tcl_DecrRefCount(own->message);
    free(own);
}

int ScriptEval(Tcl_Interp *interp, Tcl_Obj *call)
{
    int result = Tcl_EvalObjEx(interp, call, TCL_EVAL_GLOBAL);

    if (result == TCL_RETURN) return TCL_OK;
    if (result == TCL_OK || result == TCL_ERROR || Tcl_InterpDeleted(interp)) return result;
    if (result == TCL_BREAK || result == TCL_CONTINUE) {
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("invoked \"%s\" outside of a loop", result == TCL_BREAK ? "break" : "continue"));
    } else {
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("command returned bad code: %d", result));
    }
    return TCL_ERROR;
}

int ScriptCall(Script *own, size_t count, Tcl_Obj *const words[])
{
    Tcl_Obj *call = Tcl_DuplicateObj(own->script);
    int result = TCL_OK;
    size_t i;

    own->refs++;
    Tcl_Preserve(own->interp);
    Tcl_IncrRefCount(call);
    for (i = 0; i < count; i++) Tcl_IncrRefCount(words[i]);
    for (i = 0; i < count && result == TCL_OK; i++) result = Tcl_ListObjAppendElement(own->interp, call, words[i]);
    for (i = 0; i < count; i++) Tcl_DecrRefCount(words[i]);
    own->runs++;
    if (result == TCL_OK) result = ScriptEval(own->interp, call);
    own->runs--;
    Tcl_DecrRefCount(call);
    return result;
}

void ScriptDone(Script *own)
{
    Tcl_Interp *interp = own->interp;

    if (!Tcl_InterpDeleted(interp)) Tcl_ResetResult(interp);
    Tcl_Release(interp);
    ScriptDrop(own);
}

void ScriptWhy(Script *own, const char *what, Tcl_DString *into)
{
    const char *why;

    if (Tcl_InterpDeleted(own->interp)) why = NULL;
    else why = TextOf(own->interp, Tcl_GetObjResult(own->interp), what, into);
    if (why != NULL && *why != '\0') return;
    if (why != NULL) Tcl_DStringFree(into);
    Tcl_DStringInit(into);
    Tcl_DStringAppend(into, Tcl_InterpDeleted(own->interp) ? "the interpreter was deleted" : "the script failed", -1);
}

void DictPut(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}
