/* The message that a command is to send. */
#include "smtp_tcl.h"
#include <stdio.h>
#include <string.h>
#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

int TokenFirst(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], Tcl_Obj **token)
{
    Tcl_Obj *list;

    *token = NULL;
    /* No token begins so: the last option lacks its value, and what stands before each value is none. */
    if (objc % 2 == 1 && *Tcl_GetString(objv[0]) == '-') {
        Tcl_SetObjResult(interp,
            Tcl_ObjPrintf("Each option must have a value!  %s has none", Tcl_GetString(objv[objc - 1])));
        Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
        return -1;
    }
    if (objc % 2 == 1) {
        *token = objv[0];
        return 1;
    }
    if (objc == 0 || *Tcl_GetString(objv[0]) == '-') return 0;
    list = Tcl_NewListObj(objc - 1, objv + 1);
    Tcl_IncrRefCount(list);
    Tcl_SetObjResult(interp,
        Tcl_ObjPrintf("Each option must have a value!  Invalid option list: %s", Tcl_GetString(list)));
    Tcl_DecrRefCount(list);
    Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
    return -1;
}

static smtp_message *Failed(Tcl_Interp *interp, smtp_message *message, const char *why)
{
    if (why != NULL) Fail(interp, SMTP_ERR_USAGE, why);
    smtp_message_free(message);
    return NULL;
}

static smtp_message *FromChannel(Tcl_Interp *interp, smtp_message *message, Tcl_Obj *channel, int own, Source **source)
{
    *source = SourceNew(interp, channel, own);
    if (*source == NULL) return Failed(interp, message, NULL);
    if (SourceWhole(*source, message)) {
        SourceClose(*source);
        *source = NULL;
    }
    return message;
}

/* Takes all that a channel of ours has, and closes it. */
static smtp_message *Whole(Tcl_Interp *interp, smtp_message *message, Tcl_Obj *name)
{
    Tcl_Channel channel = Tcl_GetChannel(interp, Tcl_GetString(name), NULL);
    Tcl_Obj *octets = Tcl_NewObj();
    const unsigned char *bytes;
    Tcl_Size length, read;

    if (channel == NULL) return Failed(interp, message, NULL);
    Tcl_IncrRefCount(octets);
    read = Tcl_ReadChars(channel, octets, -1, 0);
    Tcl_UnregisterChannel(interp, channel);
    bytes = Tcl_GetByteArrayFromObj(octets, &length);
    if (read < 0 || bytes == NULL) message = Failed(interp, message, "the message cannot be read");
    else smtp_message_set_message(message, bytes, (size_t)length);
    Tcl_DecrRefCount(octets);
    return message;
}

/* A file that only Tcl can read, in a virtual file system, comes through a channel. What Tcl hands to Windows is UTF-16. */
static int NativeFile(smtp_message *message, Tcl_Obj *path)
{
    const void *native = Tcl_FSGetNativePath(path);
#ifdef _WIN32
    char utf8[3 * 32768]; /* no path of Windows is longer */

    if (native == NULL || WideCharToMultiByte(CP_UTF8, 0, native, -1, utf8, sizeof utf8, NULL, NULL) == 0) return 0;
    native = utf8;
#endif
    return native != NULL && smtp_message_set_message_file(message, native) == SMTP_OK;
}

/* The first address of a list; NULL: there is none. */
static smtp_addresses *AddressesOf(Tcl_Interp *interp, Tcl_Obj *list)
{
    smtp_addresses *addresses = NULL;
    Tcl_DString text;
    const char *utf8 = TextOf(interp, list, "an address", &text);

    if (utf8 == NULL) return NULL;
    smtp_address_parse(utf8, &addresses);
    Tcl_DStringFree(&text);
    if (smtp_addresses_count(addresses) > 0) return addresses;
    smtp_addresses_free(addresses);
    return NULL;
}

/* For a part of package mime tcllib adds a Sender, with the address of the From of -header, where -originator is another one.
 * The send reports what is wrong with either. */
static void AddSender(Tcl_Interp *interp, Options *options)
{
    Tcl_Size count = 0, i;
    Tcl_Obj **headers = NULL, *from = NULL;
    smtp_addresses *author, *originator;
    const char *prefix = "";
    char name[16];

    if (options->originator == NULL || *Tcl_GetString(options->originator) == '\0' || options->headers == NULL) return;
    Tcl_ListObjGetElements(NULL, options->headers, &count, &headers);
    for (i = 0; i < count; i += 2) {
        if (Tcl_StringCaseMatch(Tcl_GetString(headers[i]), "resent-*", TCL_MATCH_NOCASE)) prefix = "Resent-";
    }
    for (i = 0; i < count; i += 2) {
        const char *field = Tcl_GetString(headers[i]);

        snprintf(name, sizeof name, "%sSender", prefix);
        if (Tcl_StringCaseMatch(field, name, TCL_MATCH_NOCASE)) return;
        snprintf(name, sizeof name, "%sFrom", prefix);
        if (from == NULL && Tcl_StringCaseMatch(field, name, TCL_MATCH_NOCASE)) from = headers[i + 1];
    }
    if (from == NULL) return;
    author = AddressesOf(interp, from);
    originator = AddressesOf(interp, options->originator);
    if (author != NULL && originator != NULL) {
        const char *spec = smtp_addresses_addr_spec(author, 0);

        snprintf(name, sizeof name, "%sSender", prefix);
        if (strcmp(spec, smtp_addresses_addr_spec(originator, 0)) != 0) {
            smtp_options_add_header(options->smtp, name, spec);
        }
    }
    smtp_addresses_free(author);
    smtp_addresses_free(originator);
    Tcl_ResetResult(interp);
}

smtp_message *MessageOf(State *state, Tcl_Obj *token, Options *options, Source **source)
{
    Tcl_Interp *interp = state->interp;
    smtp_message *message = smtp_message_new();
    int count = (token != NULL) + (options->file != NULL) + (options->channel != NULL) + (options->message != NULL);

    if (source != NULL) *source = NULL;
    if (count != 1) {
        return Failed(interp, message, "give one message: a token, -file, -channel or -message");
    }
    if (token != NULL) AddSender(interp, options);
    if (options->message != NULL) {
        Tcl_Size length;
        const unsigned char *octets = OctetsOf(interp, options->message, "-message", &length);

        if (octets == NULL) return Failed(interp, message, NULL);
        smtp_message_set_message(message, octets, (size_t)length);
        return message;
    }
    if (options->channel != NULL) {
        if (source == NULL) return Failed(interp, message, "-channel: a mailer cannot read a channel in its thread: give its content as -message");
        return FromChannel(interp, message, options->channel, 0, source);
    }
    if (options->file != NULL && NativeFile(message, options->file)) return message;
    /* A script of ours gives a channel: of the file, or of a temporary one with the message of the token. */
    {
        Tcl_Obj *call[2], *channel;
        int result;

        call[0] = Tcl_NewStringObj(token != NULL ? "::smtp::Spool" : "::smtp::Open", -1);
        call[1] = token != NULL ? token : options->file;
        Tcl_IncrRefCount(call[0]);
        result = Tcl_EvalObjv(interp, 2, call, TCL_EVAL_GLOBAL);
        Tcl_DecrRefCount(call[0]);
        if (result != TCL_OK) return Failed(interp, message, NULL);
        channel = Tcl_GetObjResult(interp);
        Tcl_IncrRefCount(channel);
        Tcl_ResetResult(interp);
        if (source == NULL) message = Whole(interp, message, channel);
        else message = FromChannel(interp, message, channel, 1, source);
        Tcl_DecrRefCount(channel);
        return message;
    }
}
