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

int ScriptCall(Script *own, Tcl_Obj *first, Tcl_Obj *second)
{
    Tcl_Obj *call = Tcl_DuplicateObj(own->script);
    int result;

    own->refs++;
    Tcl_Preserve(own->interp);
    Tcl_IncrRefCount(call);
    result = Tcl_ListObjAppendElement(own->interp, call, first);
    if (result == TCL_OK && second != NULL) result = Tcl_ListObjAppendElement(own->interp, call, second);
    if (result == TCL_OK) result = Tcl_EvalObjEx(own->interp, call, TCL_EVAL_GLOBAL);
    Tcl_DecrRefCount(call);
    return result == TCL_RETURN ? TCL_OK : result;
}

void ScriptDone(Script *own)
{
    Tcl_Interp *interp = own->interp;

    if (!Tcl_InterpDeleted(interp)) Tcl_ResetResult(interp);
    Tcl_Release(interp);
    ScriptDrop(own);
}

void DictPut(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}
