/* The options of a command, by name. */
#include "smtp_tcl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <unistd.h>
#endif

#define PATIENCE_MS 300000 /* as long as a server waits for a command (RFC 5321 4.5.3.2.7) */

/* Windows knows it without Winsock, which nobody may have started yet. */
static int HostName(char *host, unsigned long size)
{
#ifdef _WIN32
    return GetComputerNameExA(ComputerNameDnsHostname, host, &size) != 0;
#else
    return gethostname(host, size) == 0;
#endif
}

static int64_t NoToken(char *buffer, size_t size, const char *why)
{
    strncpy(buffer, why, size - 1);
    buffer[size - 1] = '\0';
    return -1;
}

/* Option -oauthcommand: the result is the token, and an error says why there is none. */
static int64_t TokenAsk(void *data, int reason, char *buffer, size_t size)
{
    Script *policy = data;
    Tcl_DString text;
    const char *utf8 = NULL;
    int64_t answer = -1;
    Tcl_Obj *word;
    int result;

    if (Tcl_InterpDeleted(policy->interp)) return NoToken(buffer, size, "the interpreter is deleted");
    word = Tcl_NewStringObj(reason == SMTP_TOKEN_REFUSED ? "refused" : "first", -1);
    result = ScriptCall(policy, 1, &word);
    if (result == TCL_OK && !Tcl_InterpDeleted(policy->interp)) {
        utf8 = TextOf(policy->interp, Tcl_GetObjResult(policy->interp), "the token", &text);
    }
    if (utf8 == NULL) {
        ScriptWhy(policy, "the error of -oauthcommand", &text);
        NoToken(buffer, size, Tcl_DStringValue(&text));
    } else if (strlen(utf8) >= size) {
        NoToken(buffer, size, "the token is longer than 65535 octets");
    } else {
        answer = (int64_t)strlen(utf8);
        memcpy(buffer, utf8, (size_t)answer);
    }
    memset(Tcl_DStringValue(&text), 0, (size_t)Tcl_DStringLength(&text));
    Tcl_DStringFree(&text);
    ScriptDone(policy);
    return answer;
}

static int Failed(Tcl_Interp *interp, Options *into, int status)
{
    return status == SMTP_OK ? TCL_OK : Fail(interp, status, smtp_options_error(into->smtp));
}

static void Remember(Tcl_Obj **into, Tcl_Obj *value)
{
    Tcl_IncrRefCount(value);
    if (*into != NULL) Tcl_DecrRefCount(*into);
    *into = value;
}

static int Set(Tcl_Interp *interp, Options *into, const char *name, Tcl_Obj *value)
{
    Tcl_DString text;
    const char *utf8 = TextOf(interp, value, name, &text);
    int status;

    if (utf8 == NULL) return TCL_ERROR;
    if (strcmp(name, "-originator") == 0) {
        Remember(&into->originator, value);
        status = smtp_options_set_originator(into->smtp, utf8);
    } else if (strcmp(name, "-recipients") == 0) status = *utf8 ? smtp_options_set_recipients(into->smtp, utf8) : SMTP_OK;
    else status = smtp_options_set(into->smtp, name + 1, utf8);
    Tcl_DStringFree(&text);
    return Failed(interp, into, status);
}

/* For a field as it stands in a message, the error says how to write it here; else it has tcllib's words. */
static int NotHeader(Tcl_Interp *interp, Tcl_Obj *value)
{
    const char *text = Tcl_GetString(value), *colon = strchr(text, ':');
    int field = colon != NULL && colon != text;
    Tcl_Obj *error = Tcl_ObjPrintf(field ? "-header expects a key and a value, not \"%s\"" : "-header expects a key and a value, not %s", text);

    if (field) {
        Tcl_Obj *two[2], *pair, *word;

        two[0] = Tcl_NewStringObj(text, (Tcl_Size)(colon - text));
        two[1] = Tcl_NewStringObj(colon + 1 + strspn(colon + 1, " \t"), -1);
        pair = Tcl_NewListObj(2, two);
        word = Tcl_NewListObj(1, &pair);
        Tcl_IncrRefCount(word);
        Tcl_AppendStringsToObj(error, ": give -header ", Tcl_GetString(word), (char *)NULL);
        Tcl_DecrRefCount(word);
    }
    Tcl_SetObjResult(interp, error);
    Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
    return TCL_ERROR;
}

static int Header(Tcl_Interp *interp, Options *into, Tcl_Obj *value)
{
    Tcl_Size count;
    Tcl_Obj **pair;
    Tcl_DString name, text;
    int status = SMTP_ERR_USAGE;
    const char *first, *second;

    if (Tcl_ListObjGetElements(NULL, value, &count, &pair) != TCL_OK) return NotHeader(interp, value);
    if (count != 2 || strchr(Tcl_GetString(pair[0]), ':') != NULL) return NotHeader(interp, value);
    first = TextOf(interp, pair[0], "-header", &name);
    if (first == NULL) return TCL_ERROR;
    second = TextOf(interp, pair[1], "-header", &text);
    if (second != NULL) {
        status = smtp_options_add_header(into->smtp, first, second);
        if (into->headers == NULL) {
            into->headers = Tcl_NewListObj(0, NULL);
            Tcl_IncrRefCount(into->headers);
        }
        Tcl_ListObjAppendElement(NULL, into->headers, pair[0]);
        Tcl_ListObjAppendElement(NULL, into->headers, pair[1]);
        Tcl_DStringFree(&text);
    }
    Tcl_DStringFree(&name);
    return second == NULL ? TCL_ERROR : Failed(interp, into, status);
}

/* Servers and ports are walked in tandem; an empty server is skipped with its port. */
static int Servers(Tcl_Interp *interp, Options *into, Tcl_Obj *servers, Tcl_Obj *ports)
{
    Tcl_Size count = 0, portCount = 0, i;
    Tcl_Obj **items = NULL, **portItems = NULL, *localhost = Tcl_NewStringObj("localhost", -1);
    int result = TCL_OK, none = 1;

    Tcl_IncrRefCount(localhost);
    if (servers != NULL && Tcl_ListObjGetElements(interp, servers, &count, &items) != TCL_OK) result = TCL_ERROR;
    if (ports != NULL && Tcl_ListObjGetElements(interp, ports, &portCount, &portItems) != TCL_OK) result = TCL_ERROR;
    if (count == 0) count = 1, items = &localhost;
    for (i = 0; i < count && result == TCL_OK; i++) {
        Tcl_DString text;
        const char *server = TextOf(interp, items[i], "-servers", &text);
        int port = 0;

        if (server == NULL) result = TCL_ERROR;
        else if (*server != '\0') {
            if (i < portCount && *Tcl_GetString(portItems[i]) != '\0'
                && (Tcl_GetIntFromObj(NULL, portItems[i], &port) != TCL_OK || port < 1 || port > 65535)) {
                Tcl_SetObjResult(interp, Tcl_ObjPrintf("-ports: \"%s\" is not a port: give a number from 1 to 65535",
                    Tcl_GetString(portItems[i])));
                Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
                result = TCL_ERROR;
            } else {
                result = Failed(interp, into, smtp_options_add_server(into->smtp, server, port));
            }
            none = 0;
        }
        if (server != NULL) Tcl_DStringFree(&text);
    }
    if (result == TCL_OK && none) result = Fail(interp, SMTP_ERR_USAGE, "-servers names no server");
    Tcl_DecrRefCount(localhost);
    return result;
}

static int Policed(Tcl_Interp *interp, Options *into, Tcl_Obj *script)
{
    if (*Tcl_GetString(script) == '\0') return TCL_OK;
    if (into->policy != NULL) ScriptDrop(into->policy);
    return Failed(interp, into, PolicyOption(interp, into->smtp, script, &into->policy));
}

static int Oauth(Tcl_Interp *interp, Options *into, Tcl_Obj *script)
{
    if (*Tcl_GetString(script) == '\0') return TCL_OK;
    return Failed(interp, into, smtp_options_set_oauthtoken(into->smtp, TokenAsk, ScriptNew(interp, script), ScriptDrop));
}

static int Committed(Tcl_Interp *interp, Options *into, Tcl_Obj *script)
{
    return Failed(interp, into, CommitOption(interp, into->smtp, script));
}

static int Told(Tcl_Interp *interp, Options *into, Tcl_Obj *script)
{
    return Failed(interp, into, ProgressOption(interp, into->smtp, script));
}

static int Signed(Tcl_Interp *interp, Options *into, Tcl_Obj *script)
{
    return Failed(interp, into, SignerOption(interp, into->smtp, script));
}

#ifndef _WIN32
static int Dialled(Tcl_Interp *interp, Options *into, Tcl_Obj *script)
{
    Script *before = into->dialler;

    into->dialler = NULL;
    if (before != NULL) ScriptDrop(before);
    return Failed(interp, into, DiallerOption(interp, into->smtp, script, &into->dialler));
}
#endif

static int Mechanism(Tcl_Interp *interp, Options *into, Tcl_Obj *value)
{
    int status;

    if (MechanismOption(interp, into->smtp, value, &status) != TCL_OK) return TCL_ERROR;
    return Failed(interp, into, status);
}

static int Command(Tcl_Interp *interp, Options *into, Tcl_Obj *script)
{
    (void)interp;
    if (*Tcl_GetString(script) == '\0') return TCL_OK;
    Remember(&into->command, script);
    return TCL_OK;
}

static int File(Tcl_Interp *interp, Options *into, Tcl_Obj *name)
{
    (void)interp;
    Remember(&into->file, name);
    return TCL_OK;
}

static int Channel(Tcl_Interp *interp, Options *into, Tcl_Obj *channel)
{
    (void)interp;
    Remember(&into->channel, channel);
    return TCL_OK;
}

static int Message(Tcl_Interp *interp, Options *into, Tcl_Obj *octets)
{
    (void)interp;
    Remember(&into->message, octets);
    return TCL_OK;
}

/* What the library has no option for, or takes as something else than text. */
static const struct Own {
    const char *name, *kind, *help;
    int (*set)(Tcl_Interp *interp, Options *into, Tcl_Obj *value);
    int asks; /* the library calls the script while it sends */
} owns[] = {
    {"-channel", "channel", "Sends the finished message that can be read from a channel.", Channel, 0},
    {"-command", "script", "Returns at once, and calls the script with code, result and report when the send is over.", Command, 0},
    {"-commit", "script", "Is called before the end of each message leaves.", Committed, 1},
#ifndef _WIN32
    {"-dialler", "script", "Connects: is called with host, port and seconds, and returns a connected socket.", Dialled, 0},
#endif
    {"-file", "file", "Sends the finished message in a file.", File, 0},
    {"-header", "list", "A name and a value: a field in front of the message; may occur several times.", Header, 0},
    {"-mechanism", "list", "A login mechanism of the script's own: name, script, and shows or hides.", Mechanism, 1},
    {"-message", "octets", "Sends a finished message.", Message, 0},
    {"-oauthcommand", "script", "Gives the access token for XOAUTH2 and OAUTHBEARER.", Oauth, 1},
    {"-progress", "script", "Receives the progress of the message, as a dict: index, tag, octets, total.", Told, 1},
    {"-signer", "script", "Is called with the message as it goes out and the time, and returns header fields; may occur several times.", Signed, 1},
    {"-tls", "command", "TLS as smtp::tls has set it up.", TlsOption, 0},
    {"-tlspolicy", "script", "Called with code and diagnostic where TLS fails; answers secure or insecure.", Policed, 1},
};
#define OWNS (sizeof owns / sizeof *owns)

static const struct Own *OwnOf(const char *name)
{
    size_t i;

    for (i = 0; i < OWNS; i++) {
        if (strcmp(owns[i].name, name) == 0) return &owns[i];
    }
    return NULL;
}

/* The index of the library's option; that past the last where it has none. */
static size_t IndexOf(const char *name)
{
    const char *known;
    size_t i;

    for (i = 0; (known = smtp_option_name(i)) != NULL; i++) {
        if (strcmp(known, name + 1) == 0) break;
    }
    return i;
}

/* Whether the option takes a truth value, in any form that Tcl has for one. */
static int Truth(const char *name)
{
    const char *kind = smtp_option_kind(IndexOf(name));

    return kind != NULL && strcmp(kind, "flag") == 0;
}

/* Puts the option's name before Tcl's words. */
static int OfOption(Tcl_Interp *interp, const char *name)
{
    Tcl_SetObjResult(interp, Tcl_ObjPrintf("option %s: %s", name, Tcl_GetString(Tcl_GetObjResult(interp))));
    return TCL_ERROR;
}

static int Unknown(Tcl_Interp *interp, const char *name)
{
    char dashed[64];

    snprintf(dashed, sizeof dashed, "-%s", name);
    if (OwnOf(dashed) != NULL || smtp_option_name(IndexOf(dashed)) != NULL)
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("unknown option %s: did you mean %s?", name, dashed));
    else
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("unknown option %s", name));
    Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
    return TCL_ERROR;
}

static int One(State *state, Options *into, const char *name, Tcl_Obj *value)
{
    Tcl_Interp *interp = state->interp;
    const struct Own *own = OwnOf(name);

    if (own != NULL) {
        if (own->asks && *Tcl_GetString(value) != '\0') into->asks = own->name;
        return own->set(interp, into, value);
    }
    if (*name != '-') return Unknown(interp, name);
    if (strcmp(name, "-deadline") == 0) {
        double seconds;

        if (Tcl_GetDoubleFromObj(NULL, value, &seconds) == TCL_OK && seconds >= 0 && seconds * 1000 < into->patience) {
            into->patience = (long long)(seconds * 1000);
        }
    }
    if (Truth(name)) {
        int truth;

        if (Tcl_GetBooleanFromObj(interp, value, &truth) != TCL_OK) return OfOption(interp, name);
        if (strcmp(name, "-atleastone") == 0) into->atLeastOne = truth;
        return Failed(interp, into, smtp_options_set(into->smtp, name + 1, truth ? "1" : "0"));
    }
    return Set(interp, into, name, value);
}

static void Put(Tcl_Obj *dict, const char *key, Tcl_Obj *value)
{
    Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(key, -1), value);
}

static Tcl_Obj *Description(const char *kind, const char *words, const char *help)
{
    Tcl_Obj *dict = Tcl_NewDictObj();

    Put(dict, "kind", Tcl_NewStringObj(kind, -1));
    Put(dict, "words", Tcl_NewStringObj(words, -1));
    Put(dict, "help", TextFrom(help));
    return dict;
}

/* smtp::options: the names; smtp::options NAME: what is known of one. */
int OptionsCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_Obj *names;
    size_t i;

    (void)data;
    if (objc > 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "?name?");
        return TCL_ERROR;
    }
    if (objc == 2) {
        const char *name = Tcl_GetString(objv[1]);
        const struct Own *own = OwnOf(name);

        if (own != NULL) {
            Tcl_SetObjResult(interp, Description(own->kind, "", own->help));
            return TCL_OK;
        }
        i = *name == '-' ? IndexOf(name) : (size_t)-1;
        if (smtp_option_name(i) == NULL) return Unknown(interp, name);
        Tcl_SetObjResult(interp, Description(smtp_option_kind(i), smtp_option_words(i), smtp_option_help(i)));
        return TCL_OK;
    }
    names = Tcl_NewListObj(0, NULL);
    for (i = 0; i < OWNS; i++) Tcl_ListObjAppendElement(NULL, names, Tcl_NewStringObj(owns[i].name, -1));
    for (i = 0; smtp_option_name(i) != NULL; i++) {
        Tcl_Obj *name = Tcl_ObjPrintf("-%s", smtp_option_name(i));

        if (OwnOf(Tcl_GetString(name)) == NULL) Tcl_ListObjAppendElement(NULL, names, name);
        else Tcl_DecrRefCount(name);
    }
    Tcl_SetObjResult(interp, names);
    return TCL_OK;
}

static void Begin(Options *into)
{
    char host[256];

    memset(into, 0, sizeof *into);
    memset(host, 0, sizeof host);
    into->patience = PATIENCE_MS;
    into->smtp = smtp_options_new();
    /* As tcllib completes an address, but by the name that the host has itself: Tcl's asks the resolver, which may take long.
     * A host whose name is not a domain leaves it an error. */
    if (HostName(host, sizeof host - 1)) smtp_options_set(into->smtp, "defaultdomain", host);
}

/* The copy shares functions and scripts, so that the library finds those of a message to be its session's. */
static void BeginBeside(Options *into, const Options *base)
{
    Tcl_Obj *objects[] = {base->command, base->file, base->channel, base->message, base->originator};
    size_t i;

    *into = *base;
    into->smtp = smtp_options_copy(base->smtp);
    for (i = 0; i < sizeof objects / sizeof *objects; i++) {
        if (objects[i] != NULL) Tcl_IncrRefCount(objects[i]);
    }
    if (into->headers != NULL) {
        into->headers = Tcl_DuplicateObj(into->headers); /* which grows */
        Tcl_IncrRefCount(into->headers);
    }
    if (into->policy != NULL) into->policy->refs++;
    if (into->dialler != NULL) into->dialler->refs++;
}

int OptionsParse(State *state, const Options *base, int objc, Tcl_Obj *const objv[], Options *into)
{
    Tcl_Obj *servers = NULL, *ports = NULL;
    int i, result = TCL_OK;

    if (base == NULL) Begin(into);
    else BeginBeside(into, base);
    for (i = 0; i + 1 < objc && result == TCL_OK; i += 2) {
        const char *name = Tcl_GetString(objv[i]);

        if (strcmp(name, "-servers") == 0) servers = objv[i + 1];
        else if (strcmp(name, "-ports") == 0) ports = objv[i + 1];
        else result = One(state, into, name, objv[i + 1]);
    }
    if (base != NULL && (servers != NULL || ports != NULL)) {
        smtp_options_set(into->smtp, "servers", "");
        smtp_options_set(into->smtp, "ports", "");
    }
    if (result == TCL_OK && (base == NULL || servers != NULL || ports != NULL)) {
        result = Servers(state->interp, into, servers, ports);
    }
    if (result != TCL_OK) OptionsFree(into);
    return result;
}

void OptionsFree(Options *options)
{
    Tcl_Obj **objects[] = {&options->command, &options->file, &options->channel, &options->message,
        &options->originator, &options->headers};
    size_t i;

    for (i = 0; i < sizeof objects / sizeof *objects; i++) {
        if (*objects[i] != NULL) Tcl_DecrRefCount(*objects[i]);
        *objects[i] = NULL;
    }
    smtp_options_free(options->smtp);
    options->smtp = NULL;
    if (options->policy != NULL) ScriptDrop(options->policy);
    options->policy = NULL;
    if (options->dialler != NULL) ScriptDrop(options->dialler);
    options->dialler = NULL;
}
