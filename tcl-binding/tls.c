/* smtp::tls: TLS set up once, as a command, which any number of -tls options name. */
#include "smtp_tcl.h"
#include <stdio.h>
#include <string.h>

static int Usage(Tcl_Interp *interp, Tcl_Obj *text)
{
    Tcl_SetObjResult(interp, text);
    Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
    return TCL_ERROR;
}

static int ObjectCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    static const char *const verbs[] = {"changed", "destroy", NULL};
    int verb;

    if (objc != 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "changed|destroy");
        return TCL_ERROR;
    }
    if (Tcl_GetIndexFromObj(interp, objv[1], verbs, "verb", 0, &verb) != TCL_OK) return TCL_ERROR;
    if (verb == 0) Tcl_SetObjResult(interp, Tcl_NewBooleanObj(smtp_tls_changed(data) == 1));
    else Tcl_DeleteCommandFromToken(interp, Tcl_GetCommandFromObj(interp, objv[0]));
    return TCL_OK;
}

/* What has it keeps its share. */
static void Deleted(void *data)
{
    smtp_tls_free(data);
}

int TlsOption(Tcl_Interp *interp, Options *into, Tcl_Obj *value)
{
    Tcl_CmdInfo info;
    const char *name = Tcl_GetString(value);

    if (*name == '\0') return smtp_options_set_tls(into->smtp, NULL) == SMTP_OK ? TCL_OK : TCL_ERROR;
    if (!Tcl_GetCommandInfo(interp, name, &info) || info.objProc != ObjectCmd) {
        return Usage(interp, Tcl_ObjPrintf("-tls expects what smtp::tls returned, not \"%s\"", name));
    }
    return smtp_options_set_tls(into->smtp, info.objClientData) == SMTP_OK ? TCL_OK : TCL_ERROR;
}

int TlsCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    /* What begins like the others, and says when there is TLS, not what it is like. */
    static const char *const others[] = {"-tls", "-tlsimport", "-tlspolicy", "-tlsrequired"};
    State *state = data;
    Options options;
    smtp_tls *tls;
    char name[64];
    int i;
    size_t other;

    if (objc % 2 == 0) {
        Tcl_WrongNumArgs(interp, 1, objv, "?-option value ...?");
        return TCL_ERROR;
    }
    for (i = 1; i < objc; i += 2) {
        const char *option = Tcl_GetString(objv[i]);
        int fits = strncmp(option, "-tls", 4) == 0;

        for (other = 0; other < sizeof others / sizeof *others; other++) fits = fits && strcmp(option, others[other]) != 0;
        if (!fits) return Usage(interp, Tcl_ObjPrintf("option %s says nothing of what TLS is like", option));
    }
    if (OptionsParse(state, NULL, objc - 1, objv + 1, &options) != TCL_OK) return TCL_ERROR;
    tls = smtp_tls_new(options.smtp);
    if (tls == NULL) Fail(interp, SMTP_ERR_USAGE, smtp_options_error(options.smtp));
    OptionsFree(&options);
    if (tls == NULL) return TCL_ERROR;
    snprintf(name, sizeof name, "::smtp::tls%lu", ++state->serial);
    Tcl_CreateObjCommand(interp, name, ObjectCmd, tls, Deleted);
    Tcl_SetObjResult(interp, Tcl_NewStringObj(name, -1));
    return TCL_OK;
}
