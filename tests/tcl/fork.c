/* What Tcl itself lacks, for the tests: fork, waitpid PID, leave STATUS (at once). */
#include <sys/wait.h>
#include <tcl.h>
#include <unistd.h>

static int Fork(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)data, (void)objc, (void)objv;
    Tcl_SetObjResult(interp, Tcl_NewIntObj((int)fork()));
    return TCL_OK;
}

static int Waitpid(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    int pid, status = -1;

    (void)data;
    if (objc != 2 || Tcl_GetIntFromObj(interp, objv[1], &pid) != TCL_OK) return TCL_ERROR;
    waitpid(pid, &status, 0);
    Tcl_SetObjResult(interp, Tcl_NewIntObj(status));
    return TCL_OK;
}

static int Leave(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    int status;

    (void)data;
    if (objc != 2 || Tcl_GetIntFromObj(interp, objv[1], &status) != TCL_OK) return TCL_ERROR;
    _exit(status);
}

DLLEXPORT int Fork_Init(Tcl_Interp *interp)
{
    if (Tcl_InitStubs(interp, "8.6-", 0) == NULL) return TCL_ERROR;
    Tcl_CreateObjCommand(interp, "fork", Fork, NULL, NULL);
    Tcl_CreateObjCommand(interp, "waitpid", Waitpid, NULL, NULL);
    Tcl_CreateObjCommand(interp, "leave", Leave, NULL, NULL);
    return TCL_OK;
}
