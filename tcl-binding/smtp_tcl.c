/* The Tcl package smtp: a drop-in for that of tcllib, over libsmtp. */
#include "smtp_tcl.h"
#include <stdlib.h>

#define KEY "libsmtp"

static int LastreportCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    State *state = data;

    if (objc != 1) {
        Tcl_WrongNumArgs(interp, 1, objv, NULL);
        return TCL_ERROR;
    }
    if (state->report != NULL) Tcl_SetObjResult(interp, state->report);
    return TCL_OK;
}

static void Gone(void *data, Tcl_Interp *interp)
{
    State *state = data;

    (void)interp;
    while (state->drives != NULL) state->drives->gone(state->drives);
    if (state->report != NULL) Tcl_DecrRefCount(state->report);
    free(state);
}

DLLEXPORT int Smtp_Init(Tcl_Interp *interp)
{
    State *state;

    if (Tcl_InitStubs(interp, "8.6-", 0) == NULL) return TCL_ERROR;
    if (Tcl_GetAssocData(interp, KEY, NULL) != NULL) return Tcl_PkgProvide(interp, PACKAGE_NAME, PACKAGE_VERSION);
    state = calloc(1, sizeof *state);
    if (state == NULL) Tcl_Panic("smtp: no memory");
    state->interp = interp;
    Tcl_SetAssocData(interp, KEY, Gone, state);
    Tcl_CreateObjCommand(interp, "::smtp::sendmessage", SendmessageCmd, state, NULL);
    Tcl_CreateObjCommand(interp, "::smtp::verify", VerifyCmd, state, NULL);
    Tcl_CreateObjCommand(interp, "::smtp::cancel", CancelCmd, state, NULL);
    Tcl_CreateObjCommand(interp, "::smtp::session", SessionCmd, state, NULL);
    Tcl_CreateObjCommand(interp, "::smtp::mailer", MailerCmd, state, NULL);
    Tcl_CreateObjCommand(interp, "::smtp::lastreport", LastreportCmd, state, NULL);
    Tcl_CreateObjCommand(interp, "::smtp::options", OptionsCmd, state, NULL);
    Tcl_CreateObjCommand(interp, "::smtp::tls", TlsCmd, state, NULL);
#ifdef _WIN32
    Tcl_CreateObjCommand(interp, "::smtp::Unnamed", UnnamedCmd, NULL, NULL);
#endif
    return Tcl_PkgProvide(interp, PACKAGE_NAME, PACKAGE_VERSION);
}

/* A safe interpreter has no files and no sockets, and mail is both. */
DLLEXPORT int Smtp_SafeInit(Tcl_Interp *interp)
{
    if (Tcl_InitStubs(interp, "8.6-", 0) == NULL) return TCL_ERROR;
    Tcl_SetObjResult(interp, Tcl_NewStringObj("package smtp opens sockets and files: a safe interpreter gets it by an alias "
        "to its master's", -1));
    return TCL_ERROR;
}

/* TLS and resolver threads may still run code of this library. */
DLLEXPORT int Smtp_Unload(Tcl_Interp *interp, int flags)
{
    (void)flags;
    if (Tcl_InitStubs(interp, "8.6-", 0) == NULL) return TCL_ERROR;
    Tcl_SetObjResult(interp, Tcl_NewStringObj("package smtp cannot be unloaded", -1));
    return TCL_ERROR;
}
