/* A -progress script, which is told how far messages have got. */
#include "smtp_tcl.h"

/* Its error is a background error: sending goes on. */
static void ProgressTell(void *data, uint64_t number, const char *tag, uint64_t octets, int64_t total)
{
    Script *script = data;
    Tcl_Obj *told;
    int result;

    if (Tcl_InterpDeleted(script->interp)) return;
    told = Tcl_NewDictObj();
    DictPut(told, "index", Tcl_NewWideIntObj((Tcl_WideInt)number));
    DictPut(told, "tag", TextFrom(tag));
    DictPut(told, "octets", Tcl_NewWideIntObj((Tcl_WideInt)octets));
    DictPut(told, "total", total < 0 ? Tcl_NewObj() : Tcl_NewWideIntObj((Tcl_WideInt)total));
    result = ScriptCall(script, 1, &told);
    if (result != TCL_OK && !Tcl_InterpDeleted(script->interp)) Tcl_BackgroundException(script->interp, result);
    ScriptDone(script);
}

int ProgressOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *script)
{
    if (*Tcl_GetString(script) == '\0') return smtp_options_set_progress(options, NULL, NULL, NULL);
    return smtp_options_set_progress(options, ProgressTell, ScriptNew(interp, script), ScriptDrop);
}
