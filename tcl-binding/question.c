/* What is asked of a session: kept until it is answered, in the order in which it is asked. */
#include "session.h"
#include <stdlib.h>

Question *QuestionNew(int verb, Tcl_Obj *words, Tcl_Obj *command)
{
    Question *question = calloc(1, sizeof *question);

    if (question == NULL) Tcl_Panic("smtp: no memory");
    question->refs = 1;
    question->verb = verb;
    question->ticket = UNASKED;
    question->words = words;
    question->command = command;
    if (words != NULL) Tcl_IncrRefCount(words);
    if (command != NULL) Tcl_IncrRefCount(command);
    return question;
}

/* It is answered: the message is not needed any more. */
static void Settle(Question *question)
{
    Source *source = question->source;
    smtp_message *message = question->message;
    Options *options = question->options;

    question->session = NULL;
    question->source = NULL;
    question->message = NULL;
    question->options = NULL;
    if (source != NULL) SourceClose(source); /* which may run a script */
    smtp_message_free(message);
    if (options != NULL) {
        OptionsFree(options);
        free(options);
    }
}

void QuestionDrop(Question *question)
{
    Tcl_Obj **objects[] = {&question->words, &question->command, &question->value, &question->errorCode,
        &question->report};
    size_t i;

    if (--question->refs > 0) return;
    Settle(question);
    ManyFree(question);
    if (question->whole != NULL) QuestionDrop(question->whole);
    for (i = 0; i < sizeof objects / sizeof *objects; i++) {
        if (*objects[i] != NULL) Tcl_DecrRefCount(*objects[i]);
    }
    free(question);
}

void Unlink(Session *session, const Question *question)
{
    Question **at;

    for (at = &session->questions; *at != NULL; at = &(*at)->next) {
        if (*at != question) continue;
        *at = question->next;
        return;
    }
}

void Enqueue(Session *session, Question *question, const Question *before)
{
    Question **at;

    for (at = &session->questions; *at != NULL && *at != before; at = &(*at)->next) {
    }
    question->next = *at;
    *at = question;
}

Question *Find(Session *session, int64_t ticket)
{
    Question **at, *question;

    for (at = &session->questions; (question = *at) != NULL; at = &question->next) {
        if (question->ticket == ticket) {
            *at = question->next;
            return question;
        }
    }
    return NULL;
}

static void Give(Question *question, int code, Tcl_Obj *value, Tcl_Obj *errorCode, Tcl_Obj *report)
{
    Settle(question);
    question->code = code;
    question->value = value;
    question->errorCode = errorCode;
    Tcl_IncrRefCount(value);
    Tcl_IncrRefCount(errorCode);
    question->report = report;
    if (report != NULL) Tcl_IncrRefCount(report);
    question->done = 1;
}

int TellAnswer(Tcl_Interp *interp, Question *question)
{
    Tcl_SetObjResult(interp, question->value);
    if (question->code == TCL_ERROR) Tcl_SetObjErrorCode(interp, question->errorCode);
    else if (question->code != TCL_OK) {
        Tcl_SetVar2Ex(interp, "errorCode", NULL, question->errorCode, TCL_GLOBAL_ONLY);
    }
    return question->code;
}

static void CallBack(Tcl_Interp *interp, Question *question)
{
    Tcl_Obj *call;
    int code;

    if (question->command == NULL || Tcl_InterpDeleted(interp)) return;
    call = Tcl_DuplicateObj(question->command);
    Tcl_IncrRefCount(call);
    Tcl_Preserve(interp);
    code = Tcl_ListObjAppendElement(interp, call, Tcl_NewIntObj(question->code));
    if (code == TCL_OK) {
        Tcl_ListObjAppendElement(NULL, call, question->value);
        if (question->tells) Tcl_ListObjAppendElement(NULL, call, question->report);
        if (question->code != TCL_OK) Tcl_SetVar2Ex(interp, "errorCode", NULL, question->errorCode, TCL_GLOBAL_ONLY);
        code = Tcl_EvalObjEx(interp, call, TCL_EVAL_GLOBAL);
    }
    if (code != TCL_OK) Tcl_BackgroundException(interp, code);
    Tcl_Release(interp);
    Tcl_DecrRefCount(call);
}

void Reply(Session *session, Question *question, int code, Tcl_Obj *value, Tcl_Obj *errorCode, Tcl_Obj *report)
{
    Give(question, code, value, errorCode, report);
    if (question->whole == NULL) {
        CallBack(session->state->interp, question);
        return;
    }
    ManyPut(question);
    session->telling++;
    CallBack(session->state->interp, question);
    session->telling--;
    ManyTake(session, question->whole);
}
