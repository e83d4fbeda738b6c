/* smtp::sendmessage: one message, while the event loop goes on. */
#include "smtp_tcl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Send {
    State *state;
    Drive *drive;
    Options options;
    char name[40];
    int refs, done, code;
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
    OptionsFree(&send->options);
    free(send);
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
    Tcl_Obj *call = Tcl_DuplicateObj(send->options.command);
    int code;

    Tcl_Preserve(interp);
    Tcl_IncrRefCount(call);
    code = Tell(send);
    if (Tcl_ListObjAppendElement(interp, call, Tcl_NewIntObj(code)) == TCL_OK) {
        Tcl_ListObjAppendElement(NULL, call, Tcl_GetObjResult(interp));
        Tcl_ListObjAppendElement(NULL, call, send->report);
        if (code != TCL_OK) Tcl_SetVar2Ex(interp, "errorCode", NULL, send->errorCode, TCL_GLOBAL_ONLY);
        Tcl_ResetResult(interp);
        code = Tcl_EvalObjEx(interp, call, TCL_EVAL_GLOBAL);
    } else {
        code = TCL_ERROR;
    }
    if (code != TCL_OK) Tcl_BackgroundException(interp, code);
    Tcl_DecrRefCount(call);
    Tcl_Release(interp);
}

static void Take(Send *send, const smtp_result *result)
{
    State *state = send->state;

    send->code = Outcome(result, &send->value, &send->errorCode);
    send->report = ReportDict(result);
    Tcl_IncrRefCount(send->value);
    Tcl_IncrRefCount(send->errorCode);
    Tcl_IncrRefCount(send->report);
    send->thrown = PolicyError(send->options.policy, &send->thrownMessage);
    if (state->report != NULL) Tcl_DecrRefCount(state->report);
    state->report = send->report;
    Tcl_IncrRefCount(state->report);
}

static void Progress(Drive *drive)
{
    Send *send = drive->owner;
    smtp_result *result = NULL;

    if (smtp_engine_action(drive->engine) != SMTP_DONE) return;
    smtp_engine_result(drive->engine, &result);
    Take(send, result);
    smtp_result_free(result);
    send->drive = NULL;
    DriveClose(drive);
    send->done = 1;
    if (send->options.command != NULL) Call(send);
    Drop(send);
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

static void Abandon(Send *send)
{
    if (send->drive == NULL) return;
    DriveClose(send->drive);
    send->drive = NULL;
    Drop(send);
}

static void Gone(Drive *drive)
{
    Send *send = drive->owner;

    send->done = 1;
    Abandon(send);
}

static int Begin(Send *send, Tcl_Obj *token)
{
    State *state = send->state;
    Source *source;
    smtp_message *message = MessageOf(state, token, &send->options, &source);
    smtp_engine *engine = NULL;
    smtp_result *result = NULL;
    int status;

    if (message == NULL) return TCL_ERROR;
    status = smtp_engine_new(message, send->options.smtp, &engine);
    smtp_message_free(message);
    if (engine == NULL || status != SMTP_OK) { /* a mistake that needs no server */
        if (engine == NULL) Fail(state->interp, status, smtp_code_text(status));
        else {
            smtp_engine_result(engine, &result);
            Take(send, result);
            smtp_result_free(result);
            smtp_engine_free(engine);
        }
        if (source != NULL) SourceClose(source);
        return engine == NULL ? TCL_ERROR : Tell(send);
    }
    send->drive = DriveNew(state, engine, send->options.local, send, Progress, Gone);
    if (source != NULL) SourceFeeds(source, send->drive);
    send->refs++; /* the drive's, given back by Progress or Abandon */
    return TCL_OK;
}

/* Called from the event loop, so that -command never runs before sendmessage has returned. */
static void Start(void *data)
{
    Drive *drive = data;

    drive->timer = NULL;
    DriveStep(drive);
}


int SendmessageCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    State *state = data;
    Send *send;
    Tcl_Obj *token;
    int result, first;

    if (objc < 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "token ?option value ...?");
        return TCL_ERROR;
    }
    first = TokenFirst(interp, objc - 1, objv + 1, &token);
    if (first < 0) return TCL_ERROR;
    send = calloc(1, sizeof *send);
    if (send == NULL) Tcl_Panic("smtp: no memory");
    send->state = state;
    send->refs = 1;
    if (OptionsParse(state, objc - 1 - first, objv + 1 + first, &send->options) != TCL_OK) {
        free(send);
        return TCL_ERROR;
    }
    Tcl_Preserve(interp);
    result = Begin(send, token);
    if (send->drive != NULL && send->options.command != NULL) {
        snprintf(send->name, sizeof send->name, "smtp::send%lu", ++state->serial);
        Tcl_SetObjResult(interp, Tcl_NewStringObj(send->name, -1));
        send->drive->timer = Tcl_CreateTimerHandler(0, Start, send->drive);
    } else if (send->drive != NULL) {
        DriveStep(send->drive);
        result = Wait(interp, &send->done);
        if (result == TCL_OK) {
            result = Tell(send);
        } else {
            Abandon(send);
            if (Tcl_InterpDeleted(interp)) Tcl_SetObjResult(interp, Tcl_NewStringObj("interpreter deleted", -1));
        }
    }
    Drop(send);
    Tcl_Release(interp);
    return result;
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

        if (drive->progress != Progress || strcmp(send->name, Tcl_GetString(objv[1])) != 0) continue;
        smtp_engine_abort(drive->engine, "cancelled by smtp::cancel");
        if (drive->busy) drive->again = 1;
        else {
            if (drive->timer != NULL) Tcl_DeleteTimerHandler(drive->timer);
            drive->timer = Tcl_CreateTimerHandler(0, Start, drive);
        }
        return TCL_OK;
    }
    return TCL_OK; /* it is over */
}
