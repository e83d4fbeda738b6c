/* A -signer script, which is given each message as it goes out, and gives header fields. */
#include "smtp_tcl.h"
#include <limits.h>
#include <stdlib.h>

static void SeenDrop(void *data)
{
    Tcl_DStringFree(data);
    free(data);
}

/* A Tcl value has all of it: the pieces are put together here. */
static int Take(smtp_signing *signing, const void *octets, size_t size)
{
    Tcl_DString *seen = smtp_signing_kept(signing);

    if (seen == NULL) {
        seen = malloc(sizeof *seen);
        if (seen == NULL) Tcl_Panic("smtp: no memory");
        Tcl_DStringInit(seen);
        smtp_signing_keep(signing, seen, SeenDrop);
    }
    if (size > (size_t)INT_MAX / 2 - (size_t)Tcl_DStringLength(seen)) {
        return smtp_signing_fail(signing, "it is larger than the 1 GiB that a script can be given");
    }
    Tcl_DStringAppend(seen, octets, (Tcl_Size)size);
    return 0;
}

static int Sign(void *data, smtp_signing *signing, const void *octets, size_t size)
{
    Script *script = data;
    Tcl_DString *seen, text;
    Tcl_Obj *words[2];
    const char *fields = NULL;
    int answer = 0;

    if (octets != NULL) return Take(signing, octets, size);
    if (Tcl_InterpDeleted(script->interp)) return smtp_signing_fail(signing, "the interpreter is deleted");
    seen = smtp_signing_kept(signing);
    words[0] = seen == NULL ? Tcl_NewObj()
        : Tcl_NewByteArrayObj((unsigned char *)Tcl_DStringValue(seen), Tcl_DStringLength(seen));
    words[1] = Tcl_NewWideIntObj((Tcl_WideInt)smtp_signing_time(signing));
    if (ScriptCall(script, 2, words) == TCL_OK && !Tcl_InterpDeleted(script->interp)) {
        fields = TextOf(script->interp, Tcl_GetObjResult(script->interp), "what -signer returned", &text);
    }
    if (fields != NULL) {
        smtp_signing_add(signing, fields);
    } else {
        ScriptWhy(script, "the error of -signer", &text);
        answer = smtp_signing_fail(signing, Tcl_DStringValue(&text));
    }
    Tcl_DStringFree(&text);
    ScriptDone(script);
    return answer;
}

int SignerOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *script)
{
    if (*Tcl_GetString(script) == '\0') return SMTP_OK;
    return smtp_options_add_signer(options, Sign, ScriptNew(interp, script), ScriptDrop);
}
