/* smtp::sendmessage and smtp::verify: one message, or a look at the servers, while the event loop goes on. */
#include "smtp_tcl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef struct Send {
    State *state;
    Drive *drive;
    Options options;
    smtp_message *message; /* until the engine has it */
    Source *source;
    char name[40];
    pid_t process; /* whose message it is: a child by fork(2) must not send it, too */
    int refs, done, code;
    int verifies; /* there is no message */
    Tcl_Obj *value, *errorCode, *report;
    Tcl_Obj *thrown, *thrownMessage; /* by -tlspolicy */
} Send;

static void Drop(Send *send)
{
    Tcl_Obj **objects[] = {&send->value, &send->errorCode, &send->report, &send->thrown, &send->thrownMessage};
    size_t i;

    if (--send->refs > 0) return;
    for (i = 0; i < sizeof objects / sizeof *objects; i++) {
        if (*objects[i] != NULL) Tcl_DecrRefCount(*objects[i]);
    }
    smtp_message_free(send->message);
    OptionsFree(&send->options);
    free(send);
}

/* The drive, and the channel that it read from, are not needed any more. */
static void Leave(Send *send)
{
    Source *source = send->source;
    Drive *drive = send->drive;

    send->source = NULL;
    send->drive = NULL;
    if (source != NULL) SourceClose(source); /* which may run a script, and so may what the engine holds */
    if (drive == NULL) return;
    DriveClose(drive);
    Drop(send);
}

/* Sets the interpreter to what the send came to, and gives the return code. */
static int Tell(Send *send)
{
    Tcl_Interp *interp = send->state->interp;

    if (send->thrown != NULL && send->code != TCL_OK) {
        Tcl_SetObjResult(interp, send->thrownMessage);
        return Tcl_SetReturnOptions(interp, send->thrown);
    }
    if (send->thrown != NULL) { /* another server took it, but nobody shall miss the error */
        Tcl_SetObjResult(interp, send->thrownMessage);
        Tcl_SetReturnOptions(interp, send->thrown);
        Tcl_BackgroundException(interp, TCL_ERROR);
    }
    Tcl_SetObjResult(interp, send->value);
    if (send->code == TCL_ERROR) Tcl_SetObjErrorCode(interp, send->errorCode);
    else if (send->code != TCL_OK) Tcl_SetVar2Ex(interp, "errorCode", NULL, send->errorCode, TCL_GLOBAL_ONLY);
    return send->code;
}

static void Call(Send *send)
{
    Tcl_Interp *interp = send->state->interp;
    Tcl_Obj *value;
    int code;

    if (Tcl_InterpDeleted(interp)) return;
    Tcl_Preserve(interp);
    code = Tell(send);
    value = Tcl_GetObjResult(interp);
    Tcl_IncrRefCount(value);
    Announce(interp, send->options.command, code, value, send->errorCode, send->report);
    Tcl_DecrRefCount(value);
    Tcl_Release(interp);
}

static void Take(Send *send, const smtp_result *result)
{
    State *state = send->state;

    if (send->value != NULL) return; /* it was cancelled */
    send->code = Outcome(result, &send->options, &send->value, &send->errorCode);
    send->report = ReportDict(result);
    if (send->verifies && send->code == TCL_OK) {
        Tcl_DecrRefCount(send->value);
        send->value = send->report;
    }
    Tcl_IncrRefCount(send->value);
    Tcl_IncrRefCount(send->errorCode);
    Tcl_IncrRefCount(send->report);
    send->thrown = PolicyError(send->options.policy, &send->thrownMessage);
    if (state->report != NULL) Tcl_DecrRefCount(state->report);
    state->report = send->report;
    Tcl_IncrRefCount(state->report);
}

static void Finish(Send *send)
{
    if (send->done) return;
    send->refs++;
    send->done = 1;
    Leave(send);
    if (send->options.command != NULL) Call(send);
    Drop(send);
}

static void Progress(Drive *drive)
{
    Send *send = drive->owner;
    Tcl_Interp *interp = send->state->interp;
    smtp_result *result = NULL;

    if (smtp_engine_action(drive->engine) != SMTP_DONE) return;
    smtp_engine_result(drive->engine, &result);
    Tcl_Preserve(interp);
    Take(send, result);
    smtp_result_free(result);
    Finish(send);
    Tcl_Release(interp);
}

int Wait(Tcl_Interp *interp, const int *done)
{
    while (!*done) {
        if (Tcl_InterpDeleted(interp)) return TCL_ERROR;
        if (Tcl_Canceled(interp, TCL_LEAVE_ERR_MSG) == TCL_ERROR) return TCL_ERROR;
        if (Tcl_LimitExceeded(interp) || (Tcl_LimitReady(interp) && Tcl_LimitCheck(interp) != TCL_OK)) return TCL_ERROR;
        Tcl_DoOneEvent(TCL_ALL_EVENTS);
    }
    return Tcl_InterpDeleted(interp) ? TCL_ERROR : TCL_OK;
}

static void Gone(Drive *drive)
{
    Send *send = drive->owner;

    send->done = 1;
    Leave(send);
}

/* Nothing was begun: a mistake that needs no server, or the message cannot be made. */
static void Early(Send *send, int status, const char *text)
{
    smtp_result *result = Unbegun(status, text);

    Take(send, result);
    smtp_result_free(result);
}

static void Again(void *data);

/* Gives the engine its message. False where that cannot be; then it is told why. A channel that has not given the
 * header section yet is waited for. */
static int Try(Send *send)
{
    smtp_engine *engine = NULL;
    smtp_result *result = NULL;
    int status;

    if (send->source != NULL) SourceMessage(send->source, send->message);
    if (send->verifies) status = smtp_engine_new_verify(send->options.smtp, &engine);
    else status = smtp_engine_new(send->message, send->options.smtp, &engine);
    if (getpid() != send->process) { /* the channel is a script that forked */
        smtp_engine_free(engine);
        Early(send, SMTP_ERR_USAGE, "the send belongs to the parent process: begin another after the fork");
        return 0;
    }
    if (send->value != NULL) { /* the channel is a script that cancelled it */
        smtp_engine_free(engine);
        return 0;
    }
    if (status == SMTP_OK) {
        smtp_message_free(send->message);
        send->message = NULL;
        DriveBegin(send->drive, engine);
        if (send->source != NULL) SourceFeeds(send->source, send->drive);
        return 1;
    }
    if (engine != NULL && send->source != NULL && SourceStarved(send->source)) {
        smtp_engine_free(engine);
        SourceWait(send->source, send->options.patience, Again, send);
        return 1;
    }
    if (engine == NULL) {
        Early(send, status, smtp_code_text(status));
    } else {
        smtp_engine_result(engine, &result);
        Take(send, result);
        smtp_result_free(result);
        smtp_engine_free(engine);
    }
    return 0;
}

static void Again(void *data)
{
    Send *send = data;
    Tcl_Interp *interp = send->state->interp;

    Tcl_Preserve(interp);
    send->refs++;
    if (!Try(send)) Finish(send);
    else if (send->drive != NULL) DriveStep(send->drive);
    Drop(send);
    Tcl_Release(interp);
}

static int Begin(Send *send, Tcl_Obj *token)
{
    if (!send->verifies) {
        send->message = MessageOf(send->state, token, &send->options, &send->source);
        if (send->message == NULL) return TCL_ERROR;
    }
    send->drive = DriveNew(send->state, send, Progress, Gone);
    send->refs++; /* the drive's, given back by Leave */
    if (Try(send)) return TCL_OK;
    Leave(send);
    return Tell(send);
}

static void Cancelled(void *data)
{
    Drive *drive = data;
    Tcl_Interp *interp = drive->state->interp;

    Tcl_Preserve(interp);
    drive->timer = NULL;
    Finish(drive->owner);
    Tcl_Release(interp);
}

/* Sends the token, or the message of the options; or verifies. */
static int Do(State *state, int verifies, Tcl_Obj *token, int objc, Tcl_Obj *const objv[])
{
    Tcl_Interp *interp = state->interp;
    Send *send = calloc(1, sizeof *send);
    int result;

    if (send == NULL) Tcl_Panic("smtp: no memory");
    send->state = state;
    send->process = getpid();
    send->refs = 1;
    send->verifies = verifies;
    if (OptionsParse(state, NULL, objc, objv, &send->options) != TCL_OK) {
        free(send);
        return Unreported(state);
    }
    if (verifies && (send->options.file != NULL || send->options.channel != NULL || send->options.message != NULL)) {
        Tcl_SetObjResult(interp, Tcl_NewStringObj("smtp::verify takes no message: leave out -file, -channel and -message", -1));
        Drop(send);
        return Unreported(state);
    }
    Tcl_Preserve(interp);
    result = Begin(send, token);
    if (result != TCL_OK && send->report == NULL) Unreported(state);
    if (send->drive != NULL && send->options.command != NULL) {
        snprintf(send->name, sizeof send->name, "smtp::send%lu", ++state->serial);
        Tcl_SetObjResult(interp, Tcl_NewStringObj(send->name, -1));
        DriveLater(send->drive); /* -command never runs before this has returned */
    } else if (send->drive != NULL) {
        DriveStep(send->drive);
        result = Wait(interp, &send->done);
        if (result == TCL_OK) {
            result = Tell(send);
        } else {
            Leave(send);
            if (Tcl_InterpDeleted(interp)) Tcl_SetObjResult(interp, Tcl_NewStringObj("interpreter deleted", -1));
        }
    }
    Drop(send);
    Tcl_Release(interp);
    return result;
}

int SendmessageCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Tcl_Obj *token;
    int first;

    if (objc < 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "token ?option value ...?");
        return TCL_ERROR;
    }
    first = TokenFirst(interp, objc - 1, objv + 1, &token);
    if (first < 0) return Unreported(data);
    return Do(data, 0, token, objc - 1 - first, objv + 1 + first);
}

int VerifyCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)interp;
    return Do(data, 1, NULL, objc - 1, objv + 1);
}

int CancelCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    State *state = data;
    Drive *drive;

    if (objc != 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "send");
        return TCL_ERROR;
    }
    for (drive = state->drives; drive != NULL; drive = drive->next) {
        Send *send = drive->owner;

        if (drive->progress != Progress || !*send->name || strcmp(send->name, Tcl_GetString(objv[1])) != 0) continue;
        DriveHold(drive);
        if (drive->engine != NULL) {
            DriveAbort(drive);
        } else {
            Source *source = send->source;

            Early(send, SMTP_ERR_CANCELLED, "cancelled by smtp::cancel");
            send->source = NULL;
            if (source != NULL) SourceClose(source); /* which may run a script */
            if (!drive->over) {
                if (drive->timer != NULL) Tcl_DeleteTimerHandler(drive->timer);
                drive->timer = Tcl_CreateTimerHandler(0, Cancelled, drive);
            }
        }
        DriveRelease(drive);
        return TCL_OK;
    }
    return TCL_OK; /* it is over */
}
