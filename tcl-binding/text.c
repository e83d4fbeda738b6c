/* Strings between Tcl and libsmtp. */
#include "smtp_tcl.h"
#include <string.h>

/* Tcl keeps one reference for ever, as it does for the system's encoding. */
static Tcl_Encoding Utf8(void)
{
    return Tcl_GetEncoding(NULL, "utf-8");
}

const char *TextOf(Tcl_Interp *interp, Tcl_Obj *obj, const char *what, Tcl_DString *into)
{
    Tcl_Size length;
    const char *string = Tcl_GetStringFromObj(obj, &length);
    Tcl_Encoding utf8 = Utf8();

    Tcl_UtfToExternalDString(utf8, string, length, into);
    Tcl_FreeEncoding(utf8);
    if (memchr(Tcl_DStringValue(into), '\0', (size_t)Tcl_DStringLength(into)) != NULL) {
        Tcl_DStringFree(into);
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("%s holds a NUL", what));
        Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
        return NULL;
    }
    return Tcl_DStringValue(into);
}

Tcl_Obj *TextFrom(const char *utf8)
{
    Tcl_DString text;
    Tcl_Encoding encoding = Utf8();
    Tcl_Obj *obj;

    Tcl_ExternalToUtfDString(encoding, utf8, -1, &text);
    Tcl_FreeEncoding(encoding);
    obj = Tcl_NewStringObj(Tcl_DStringValue(&text), Tcl_DStringLength(&text));
    Tcl_DStringFree(&text);
    return obj;
}

const unsigned char *OctetsOf(Tcl_Interp *interp, Tcl_Obj *obj, const char *what, Tcl_Size *length)
{
    const char *at, *end;
    Tcl_Size size;

    if (obj->bytes != NULL || obj->typePtr == NULL || strcmp(obj->typePtr->name, "bytearray") != 0) {
        at = Tcl_GetStringFromObj(obj, &size);
        for (end = at + size; at < end;) {
            Tcl_UniChar c = 0;

            at += Tcl_UtfToUniChar(at, &c);
            if (c > 0xff) {
                Tcl_SetObjResult(interp, Tcl_ObjPrintf("%s contains characters that are not octets: encode it first, as with "
                    "[encoding convertto utf-8 $text]", what));
                Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
                return NULL;
            }
        }
    }
    return Tcl_GetByteArrayFromObj(obj, length);
}

Tcl_Obj *ErrorCodeOf(Tcl_Interp *interp)
{
    Tcl_Obj *options = Tcl_GetReturnOptions(interp, TCL_ERROR), *key = Tcl_NewStringObj("-errorcode", -1), *code = NULL;

    Tcl_IncrRefCount(options);
    Tcl_IncrRefCount(key);
    Tcl_DictObjGet(NULL, options, key, &code);
    if (code == NULL) code = Tcl_NewStringObj("NONE", -1);
    Tcl_IncrRefCount(code);
    Tcl_DecrRefCount(key);
    Tcl_DecrRefCount(options);
    return code;
}

int Fail(Tcl_Interp *interp, int status, const char *text)
{
    Tcl_SetObjResult(interp, TextFrom(text));
    Tcl_SetErrorCode(interp, "SMTP", smtp_code_name(status), "0", "", (char *)NULL);
    return TCL_ERROR;
}
