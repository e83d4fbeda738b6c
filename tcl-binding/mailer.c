/* smtp::mailer: many messages over many connections, which a thread of the library has. Nothing of Tcl runs there: this
 * thread watches a descriptor, and calls the scripts. */
#include "smtp_tcl.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_MS 5 /* between two looks for room in the queue, by a script of the mailer */

/* A message that is not reported yet. */
typedef struct Submission {
    Tcl_Obj *command; /* NULL: nobody is told */
    int atLeastOne;
} Submission;

typedef struct Mailer {
    State *state;
    smtp_mailer *smtp; /* NULL: it is closed */
    Tcl_Command token;
    Options options; /* that it was made with */
    Tcl_HashTable open; /* submissions, by number */
    pid_t process;
    int fd, refs;
    int busy; /* a script of it runs: no other one begins before that has returned */
    int ending; /* its command is gone: what was fetched then is told, and nothing else */
    int news; /* something was reported, or the mailer is closed: who waits looks again */
} Mailer;

static void Drop(Mailer *mailer)
{
    if (--mailer->refs > 0) return;
    OptionsFree(&mailer->options);
    Tcl_DeleteHashTable(&mailer->open);
    free(mailer);
}

/* Whether a script of it runs, which cannot wait for it. */
static int IsInside(const Mailer *mailer)
{
    return mailer->busy || (mailer->options.dialler != NULL && mailer->options.dialler->runs > 0);
}

static Submission *SubmissionNew(Tcl_Obj *command, int atLeastOne)
{
    Submission *one = calloc(1, sizeof *one);

    if (one == NULL) Tcl_Panic("smtp: no memory");
    one->command = command;
    if (command != NULL) Tcl_IncrRefCount(command);
    one->atLeastOne = atLeastOne;
    return one;
}

static void SubmissionFree(Submission *one)
{
    if (one->command != NULL) Tcl_DecrRefCount(one->command);
    free(one);
}

static void Report(Mailer *mailer, int64_t number, const smtp_result *result)
{
    State *state = mailer->state;
    Tcl_HashEntry *entry = Tcl_FindHashEntry(&mailer->open, (void *)(intptr_t)number);
    Submission *one;
    Options options;
    Tcl_Obj *value, *errorCode;
    int code;

    if (entry == NULL) return;
    one = Tcl_GetHashValue(entry);
    Tcl_DeleteHashEntry(entry);
    memset(&options, 0, sizeof options);
    options.atLeastOne = one->atLeastOne;
    code = Outcome(result, &options, &value, &errorCode);
    Tcl_IncrRefCount(value);
    Tcl_IncrRefCount(errorCode);
    if (state->report != NULL) Tcl_DecrRefCount(state->report);
    state->report = ReportDict(result);
    Tcl_IncrRefCount(state->report);
    mailer->news = 1;
    if (one->command != NULL) {
        Tcl_Obj *report = state->report; /* the script may send, too */

        Tcl_IncrRefCount(report);
        Announce(state->interp, one->command, code, value, errorCode, report);
        Tcl_DecrRefCount(report);
    }
    Tcl_DecrRefCount(value);
    Tcl_DecrRefCount(errorCode);
    SubmissionFree(one);
}

static void Ready(void *data, int mask);

/* Tells what has been decided, and nothing while a script of the mailer runs: one that enters the event loop would be within
 * another, and that within the next, up to Tcl's limit. */
static void Fetch(Mailer *mailer)
{
    Tcl_Interp *interp = mailer->state->interp;
    smtp_result *result;
    int64_t number;

    if (mailer->busy) return;
    mailer->refs++;
    Tcl_Preserve(interp);
    mailer->busy = 1;
    Unwatch(mailer->fd);
    while (!Tcl_InterpDeleted(interp) && smtp_mailer_next(mailer->smtp, 0, &number, &result) == 1) {
        Report(mailer, number, result);
        smtp_result_free(result);
    }
    mailer->busy = 0;
    if (!mailer->ending && mailer->process == getpid()) Watch(mailer->fd, TCL_READABLE, Ready, mailer);
    Tcl_Release(interp);
    Drop(mailer);
}

/* After the last report: nothing more is told. */
static void Free(Mailer *mailer)
{
    Tcl_HashSearch search;
    Tcl_HashEntry *entry;

    Unwatch(mailer->fd);
    smtp_mailer_free(mailer->smtp);
    mailer->smtp = NULL;
    mailer->news = 1;
    /* Those of a parent process, or of an interpreter that goes: nobody is told. */
    while ((entry = Tcl_FirstHashEntry(&mailer->open, &search)) != NULL) {
        SubmissionFree(Tcl_GetHashValue(entry));
        Tcl_DeleteHashEntry(entry);
    }
}

static void Ready(void *data, int mask)
{
    Mailer *mailer = data;

    (void)mask;
    if (getpid() != mailer->process) {
        Unwatch(mailer->fd); /* the parent's */
        return;
    }
    mailer->refs++;
    Fetch(mailer);
    if (mailer->ending && !mailer->busy && mailer->smtp != NULL) Free(mailer);
    Drop(mailer);
}

/* Ends it, and tells what became of each message; where a script of it runs, that is done when it has returned. Waits for the
 * replies to QUIT. */
static void Close(Mailer *mailer)
{
    if (mailer->smtp == NULL) return;
    mailer->ending = 1;
    smtp_mailer_close(mailer->smtp, 0);
    if (mailer->busy) return;
    mailer->refs++;
    Fetch(mailer);
    if (mailer->smtp != NULL) Free(mailer);
    Drop(mailer);
}

static void Deleted(void *data)
{
    Mailer *mailer = data;

    mailer->token = NULL;
    Tcl_Preserve(mailer->state->interp);
    Close(mailer);
    Tcl_Release(mailer->state->interp);
    Drop(mailer);
}

/* An option whose script the library would have to call in its thread. */
static int Foreign(Tcl_Interp *interp, const Options *options)
{
    if (options->asks == NULL) return TCL_OK;
    Tcl_SetObjResult(interp, Tcl_ObjPrintf("%s is a script that a mailer cannot call, as it sends in another thread: "
        "use smtp::sendmessage or smtp::session", options->asks));
    Tcl_SetErrorCode(interp, "SMTP", "usage", "0", "", (char *)NULL);
    return TCL_ERROR;
}

static void Passed(void *data)
{
    Mailer *mailer = data;

    mailer->news = 1;
}

/* Runs the event loop until something is reported; in a script of the mailer, where nothing is, for a moment. */
static int Look(Mailer *mailer)
{
    Tcl_TimerToken timer = IsInside(mailer) ? Tcl_CreateTimerHandler(ROOM_MS, Passed, mailer) : NULL;
    int result;

    mailer->news = 0;
    result = Wait(mailer->state->interp, &mailer->news);
    if (timer != NULL) Tcl_DeleteTimerHandler(timer);
    return result;
}

static int Closed(Tcl_Interp *interp)
{
    return Fail(interp, SMTP_ERR_CLOSED, "the mailer is closed");
}

static int Take(Mailer *mailer, const smtp_message *message, Options *options)
{
    Tcl_Interp *interp = mailer->state->interp;
    smtp_result *failure = NULL;
    Tcl_HashEntry *entry;
    int64_t number;
    int isNew;

    for (;;) {
        if (mailer->smtp == NULL || mailer->ending) return Closed(interp);
        number = smtp_mailer_try_submit(mailer->smtp, message, options->smtp, &failure);
        if (number != SMTP_ERR_FULL) break;
        smtp_result_free(failure);
        failure = NULL;
        if (Look(mailer) != TCL_OK) return TCL_ERROR;
    }
    if (number < 0) {
        Fail(interp, (int)number, smtp_result_error(failure));
        smtp_result_free(failure);
        return TCL_ERROR;
    }
    entry = Tcl_CreateHashEntry(&mailer->open, (void *)(intptr_t)number, &isNew);
    Tcl_SetHashValue(entry, SubmissionNew(options->command, options->atLeastOne));
    Tcl_SetObjResult(interp, Tcl_NewWideIntObj((Tcl_WideInt)number));
    return TCL_OK;
}

static int Submit(Mailer *mailer, int objc, Tcl_Obj *const objv[])
{
    State *state = mailer->state;
    Tcl_Interp *interp = state->interp;
    Tcl_Obj *token;
    Options options;
    smtp_message *message;
    int first = TokenFirst(interp, objc, objv, &token), result;

    if (first < 0) return TCL_ERROR;
    if (mailer->smtp == NULL) return Closed(interp);
    result = OptionsParse(state, &mailer->options, objc - first, objv + first, &options);
    if (result == TCL_OK) {
        message = NULL;
        result = Foreign(interp, &options);
        if (result == TCL_OK) message = MessageOf(state, token, &options, NULL);
        if (message == NULL) result = TCL_ERROR;
        if (result == TCL_OK) result = Take(mailer, message, &options);
        smtp_message_free(message);
        OptionsFree(&options);
    }
    return result;
}

/* Waits until everything is told that was submitted. */
static int Drain(Mailer *mailer)
{
    while (mailer->smtp != NULL && mailer->open.numEntries > 0) {
        if (Look(mailer) != TCL_OK) return TCL_ERROR;
    }
    return TCL_OK;
}

static int Counts(Mailer *mailer)
{
    static const struct {
        const char *name;
        int what;
    } counts[] = {
        {"submitted", SMTP_COUNT_SUBMITTED}, {"decided", SMTP_COUNT_DECIDED}, {"accepted", SMTP_COUNT_ACCEPTED},
        {"rejected", SMTP_COUNT_REJECTED}, {"not_sent", SMTP_COUNT_NOT_SENT}, {"unknown", SMTP_COUNT_UNKNOWN},
        {"waiting", SMTP_COUNT_WAITING}, {"connections", SMTP_COUNT_CONNECTIONS}, {"opened", SMTP_COUNT_OPENED},
    };
    Tcl_Obj *dict = Tcl_NewDictObj();
    size_t i;

    if (mailer->smtp == NULL) {
        Tcl_DecrRefCount(dict);
        return Closed(mailer->state->interp);
    }
    for (i = 0; i < sizeof counts / sizeof *counts; i++) {
        Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(counts[i].name, -1),
            Tcl_NewWideIntObj((Tcl_WideInt)smtp_mailer_count(mailer->smtp, counts[i].what)));
    }
    Tcl_SetObjResult(mailer->state->interp, dict);
    return TCL_OK;
}

static int Servers(Mailer *mailer)
{
    static const struct {
        const char *name;
        int what;
    } counts[] = {
        {"accepted", SMTP_SERVER_COUNT_ACCEPTED}, {"rejected", SMTP_SERVER_COUNT_REJECTED},
        {"unknown", SMTP_SERVER_COUNT_UNKNOWN}, {"retried", SMTP_SERVER_COUNT_RETRIED},
        {"under_way", SMTP_SERVER_COUNT_UNDER_WAY}, {"connections", SMTP_SERVER_COUNT_CONNECTIONS},
        {"opened", SMTP_SERVER_COUNT_OPENED},
    };
    Tcl_Obj *list, *dict;
    const char *server;
    size_t n, i;

    if (mailer->smtp == NULL) return Closed(mailer->state->interp);
    list = Tcl_NewListObj(0, NULL);
    for (n = 0; (server = smtp_mailer_server(mailer->smtp, n)) != NULL; n++) {
        dict = Tcl_NewDictObj();
        Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj("server", -1), Tcl_NewStringObj(server, -1));
        for (i = 0; i < sizeof counts / sizeof *counts; i++) {
            Tcl_DictObjPut(NULL, dict, Tcl_NewStringObj(counts[i].name, -1),
                Tcl_NewWideIntObj((Tcl_WideInt)smtp_mailer_server_count(mailer->smtp, n, counts[i].what)));
        }
        Tcl_ListObjAppendElement(NULL, list, dict);
    }
    Tcl_SetObjResult(mailer->state->interp, list);
    return TCL_OK;
}

static int Verb(Mailer *mailer, int objc, Tcl_Obj *const objv[])
{
    static const char *const verbs[] = {"close", "counts", "drain", "servers", "submit", NULL};
    enum { CLOSE, COUNTS, DRAIN, SERVERS, SUBMIT };
    Tcl_Interp *interp = mailer->state->interp;
    int verb, result;

    if (Tcl_GetIndexFromObj(interp, objv[1], verbs, "verb", 0, &verb) != TCL_OK) return TCL_ERROR;
    if (verb == SUBMIT) return Submit(mailer, objc - 2, objv + 2);
    if (objc != 2) {
        Tcl_WrongNumArgs(interp, 2, objv, NULL);
        return TCL_ERROR;
    }
    if (mailer->process != getpid()) {
        return Fail(interp, SMTP_ERR_USAGE, "the mailer belongs to the parent process: open another after the fork");
    }
    if (verb == COUNTS) return Counts(mailer);
    if (verb == SERVERS) return Servers(mailer);
    if (IsInside(mailer)) {
        return Fail(interp, SMTP_ERR_BUSY, "a script of the mailer cannot wait for it: do that after the script has returned");
    }
    result = Drain(mailer);
    if (verb == CLOSE && mailer->token != NULL && result == TCL_OK) Tcl_DeleteCommandFromToken(interp, mailer->token);
    return result;
}

static int ObjectCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Mailer *mailer = data;
    int result;

    if (objc < 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "verb ?arg ...?");
        return TCL_ERROR;
    }
    mailer->refs++;
    Tcl_Preserve(interp);
    result = Verb(mailer, objc, objv);
    Drop(mailer);
    Tcl_Release(interp);
    return result;
}

int MailerCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    static const char *const words[] = {"open", NULL};
    State *state = data;
    Mailer *mailer;
    Options options;
    smtp_mailer *smtp = NULL;
    smtp_result *failure = NULL;
    char name[48];
    int word, fd, status;

    if (objc < 2 || objc % 2 != 0) {
        Tcl_WrongNumArgs(interp, 1, objv, "open ?option value ...?");
        return TCL_ERROR;
    }
    if (Tcl_GetIndexFromObj(interp, objv[1], words, "subcommand", 0, &word) != TCL_OK) return TCL_ERROR;
    if (OptionsParse(state, NULL, objc - 2, objv + 2, &options) != TCL_OK) return TCL_ERROR;
    status = Foreign(interp, &options) == TCL_OK ? smtp_mailer_new(options.smtp, &smtp, &failure) : SMTP_ERR_USAGE;
    if (smtp == NULL) {
        OptionsFree(&options);
        if (failure != NULL) Fail(interp, status, smtp_result_error(failure));
        smtp_result_free(failure);
        return TCL_ERROR;
    }
    fd = smtp_mailer_fd(smtp);
    if (fd < 0) {
        smtp_mailer_free(smtp);
        OptionsFree(&options);
        return Fail(interp, SMTP_ERR_CONNECT, "no descriptor is left for a mailer");
    }
    mailer = calloc(1, sizeof *mailer);
    if (mailer == NULL) Tcl_Panic("smtp: no memory");
    mailer->state = state;
    mailer->smtp = smtp;
    mailer->fd = fd;
    mailer->refs = 1; /* the command's */
    mailer->process = getpid();
    mailer->options = options;
    Tcl_InitHashTable(&mailer->open, TCL_ONE_WORD_KEYS);
    Watch(fd, TCL_READABLE, Ready, mailer);
    snprintf(name, sizeof name, "::smtp::mailer%lu", ++state->serial);
    mailer->token = Tcl_CreateObjCommand(interp, name, ObjectCmd, mailer, Deleted);
    Tcl_SetObjResult(interp, Tcl_NewStringObj(name, -1));
    return TCL_OK;
}
