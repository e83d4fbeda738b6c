/* A file without a name, for Windows: nothing there takes the name from one that is open, as smtp.tcl does elsewhere. It is gone
 * when it is closed. */
#include "smtp_tcl.h"

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

int UnnamedCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    WCHAR folder[MAX_PATH + 1], path[MAX_PATH + 1];
    HANDLE file;
    Tcl_Channel channel;

    (void)data;
    if (objc != 1) {
        Tcl_WrongNumArgs(interp, 1, objv, NULL);
        return TCL_ERROR;
    }
    if (GetTempPathW(MAX_PATH + 1, folder) == 0 || GetTempFileNameW(folder, L"smt", 0, path) == 0) {
        return Fail(interp, SMTP_ERR_SOURCE, "no temporary file can be made");
    }
    file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    if (file == INVALID_HANDLE_VALUE) return Fail(interp, SMTP_ERR_SOURCE, "no temporary file can be opened");
    channel = Tcl_MakeFileChannel(file, TCL_READABLE | TCL_WRITABLE);
    Tcl_RegisterChannel(interp, channel);
    Tcl_SetObjResult(interp, Tcl_NewStringObj(Tcl_GetChannelName(channel), -1));
    return TCL_OK;
}

#else

typedef int NothingElsewhere; /* a file of C has something in it */

#endif
