/* smtp::session: one open connection as a command, verb by verb. */
#include "session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void DropSession(Session *session)
{
    if (--session->refs > 0) return;
    if (session->greeting != NULL) Tcl_DecrRefCount(session->greeting);
    OptionsFree(&session->options);
    free(session);
}

static Tcl_Obj *ErrorCode(int status, int code, const char *enhanced)
{
    Tcl_Obj *four[4];

    four[0] = Tcl_NewStringObj("SMTP", -1);
    four[1] = Tcl_NewStringObj(smtp_code_name(status), -1);
    four[2] = Tcl_NewIntObj(code);
    four[3] = TextFrom(enhanced);
    return Tcl_NewListObj(4, four);
}

static void Answer(Session *session, Question *question)
{
    smtp_engine *engine = session->engine;
    int status = smtp_engine_answer_status(engine);
    smtp_result *result = NULL;

    if (IsMessage(question)) {
        Tcl_Obj *value, *errorCode;
        State *state = session->state;
        int code;

        smtp_engine_answer_result(engine, &result);
        code = Outcome(result, question->options, &value, &errorCode);
        if (state->report != NULL) Tcl_DecrRefCount(state->report);
        state->report = ReportDict(result);
        Tcl_IncrRefCount(state->report);
        smtp_result_free(result);
        Reply(session, question, code, value, errorCode, state->report);
    } else if (smtp_engine_answer_code(engine) != 0 && status != SMTP_ERR_LOGIN && status != SMTP_ERR_CLOSED) {
        Tcl_Obj *six[6], *reply;

        six[0] = Tcl_NewStringObj("code", -1);
        six[1] = Tcl_NewIntObj(smtp_engine_answer_code(engine));
        six[2] = Tcl_NewStringObj("enhanced", -1);
        six[3] = TextFrom(smtp_engine_answer_enhanced(engine));
        six[4] = Tcl_NewStringObj("text", -1);
        six[5] = TextFrom(smtp_engine_answer_text(engine));
        reply = Tcl_NewListObj(6, six);
        if (question->verb == -1) {
            session->greeting = reply;
            Tcl_IncrRefCount(reply);
        }
        Reply(session, question, TCL_OK, reply, Tcl_NewObj(), NULL);
    } else if (status == SMTP_OK) {
        Reply(session, question, TCL_OK, Offer(question, engine), Tcl_NewObj(), NULL);
    } else {
        Reply(session, question, TCL_ERROR, TextFrom(smtp_engine_answer_error(engine)), ErrorCode(status, smtp_engine_answer_code(engine), smtp_engine_answer_enhanced(engine)), NULL);
    }
}

/* Answers a question, which is not among those of the session any more, by an error. */
static void GiveUp(Session *session, Question *question, int status, const char *text)
{
    smtp_result *result = Unbegun(status, text);
    Tcl_Obj *value, *errorCode, *report = ReportDict(result);
    int code = Outcome(result, &session->options, &value, &errorCode);

    smtp_result_free(result);
    Tcl_IncrRefCount(report);
    Reply(session, question, code, value, errorCode, report);
    Tcl_DecrRefCount(report);
    QuestionDrop(question); /* the session's */
}

/* Whoever still waits is told that there is no answer. */
static void Unanswered(Session *session, const char *why)
{
    Question *question;

    while ((question = session->questions) != NULL) {
        if (question->many != NULL) {
            ManyEnd(session, question, why);
            continue;
        }
        session->questions = question->next;
        /* QUIT goes after what was asked. */
        if (IsMessage(question) && question->ticket >= 0) {
            GiveUp(session, question, SMTP_ERR_UNKNOWN, "the session was closed before the reply: the message may have been delivered");
        } else if (IsMessage(question)) {
            GiveUp(session, question, SMTP_ERR_CLOSED, why);
        } else {
            Reply(session, question, TCL_ERROR, TextFrom(why), ErrorCode(SMTP_ERR_CLOSED, 0, ""), NULL);
            QuestionDrop(question);
        }
    }
}

static void Close(Session *session)
{
    Question *question;
    Drive *drive = session->drive;

    if (drive == NULL) return;
    for (question = session->questions; question != NULL; question = question->next) {
        if (question->source != NULL) SourceFeeds(question->source, NULL);
    }
    session->drive = NULL;
    session->engine = NULL;
    DriveClose(drive);
    DropSession(session);
}

/* It could not be asked, as the interpreter's result says. */
static void Refuse(Session *session, Question *question, int status)
{
    Tcl_Interp *interp = session->state->interp;
    Tcl_Obj *errorCode;

    Unlink(session, question);
    if (IsMessage(question)) {
        Tcl_DString text;
        int readable = TextOf(interp, Tcl_GetObjResult(interp), "the error", &text) != NULL;

        GiveUp(session, question, status, readable ? Tcl_DStringValue(&text) : NULL);
        if (readable) Tcl_DStringFree(&text);
        return;
    }
    errorCode = ErrorCodeOf(interp);
    Reply(session, question, TCL_ERROR, Tcl_GetObjResult(interp), errorCode, NULL);
    Tcl_DecrRefCount(errorCode);
    QuestionDrop(question); /* the session's */
}

/* The first that is not asked. */
static Question *Unasked(Session *session)
{
    Question *question = session->questions;

    while (question != NULL && question->ticket != UNASKED) question = question->next;
    return question;
}

/* Whether a question that was asked is not answered. */
static int Owes(const Session *session)
{
    const Question *question = session->questions;

    while (question != NULL && (question->ticket == UNASKED || question->ticket == ASKED)) question = question->next;
    return question != NULL;
}

static void AskThem(Session *session)
{
    Tcl_Interp *interp = session->state->interp;
    Question *question;

    session->refs++;
    Tcl_Preserve(interp);
    while (session->drive != NULL && (question = Unasked(session)) != NULL) {
        Tcl_InterpState kept = Tcl_SaveInterpState(interp, TCL_OK);
        int64_t ticket = UNASKED;
        int on = 1;

        question->refs++;
        if (question->many != NULL) {
            on = ManyNext(session, question);
        } else {
            ticket = Ask(session, question);
            on = ticket != UNASKED;
        }
        if (ticket >= 0) {
            question->ticket = ticket;
        } else if (ticket != UNASKED && !question->done) {
            Refuse(session, question, (int)ticket);
        }
        Tcl_RestoreInterpState(interp, kept);
        QuestionDrop(question);
        if (!on) break;
    }
    Tcl_Release(interp);
    DropSession(session);
}

static void Progress(Drive *drive)
{
    Session *session = drive->owner;
    Tcl_Interp *interp = session->state->interp;
    Question *next;
    int64_t ticket;

    Tcl_Preserve(interp); /* and with it the state: a callback may delete it, and others be called after that */
    session->refs++;
    while (session->drive != NULL && smtp_engine_answer(session->engine, &ticket) == 1) {
        Question *question = Find(session, ticket);

        if (question == NULL) continue;
        Answer(session, question);
        QuestionDrop(question);
    }
    session->over = session->drive != NULL && smtp_engine_action(session->engine) == SMTP_DONE;
    /* In a child by fork(2) the engine answers nothing. */
    if (session->over && (session->token == NULL || Owes(session))) {
        Close(session);
        Unanswered(session, "the session is closed");
    }
    /* The engine answers what is asked after the end, but cannot be asked for a message that has not begun to come. */
    while (session->over && session->drive != NULL && (next = Unasked(session)) != NULL && next->starved) {
        Unlink(session, next);
        GiveUp(session, next, SMTP_ERR_CLOSED, "the session is closed");
        AskThem(session);
    }
    if (session->drive != NULL && (next = Unasked(session)) != NULL && next->many != NULL) AskThem(session);
    DropSession(session);
    Tcl_Release(interp);
}

static void Gone(Drive *drive)
{
    Session *session = drive->owner;
    Question *question;

    for (question = session->questions; question != NULL; question = question->next) question->done = 1;
    while ((question = session->questions) != NULL) {
        session->questions = question->next;
        QuestionDrop(question);
    }
    Close(session);
}

static void Deleted(void *data)
{
    Session *session = data;
    Tcl_Interp *interp = session->state->interp;

    Tcl_Preserve(interp);
    session->token = NULL;
    if (session->drive != NULL && !Tcl_InterpDeleted(session->state->interp)) {
        int status = smtp_engine_part(session->engine); /* QUIT, in the background */

        if (status == SMTP_ERR_BUSY) {
            /* By a script of its own: the engine knows what becomes of its messages, and says so when that has returned. */
            smtp_engine_abort(session->engine, NULL);
        } else {
            if (status == SMTP_OK) DriveStep(session->drive);
            else Close(session);
            if (session->questions != NULL) Unanswered(session, "the session is closed");
        }
    }
    DropSession(session);
    Tcl_Release(interp);
}

void AskOn(Session *session)
{
    Tcl_Interp *interp = session->state->interp;

    Tcl_Preserve(interp);
    session->refs++;
    AskThem(session);
    if (session->drive != NULL) DriveStep(session->drive);
    DropSession(session);
    Tcl_Release(interp);
}

int Expect(Session *session, Question *question)
{
    Tcl_Interp *interp = session->state->interp;
    int result = TCL_OK;

    if (question->many == NULL && Unasked(session) == NULL) {
        int64_t ticket = Ask(session, question);

        if (ticket < 0 && ticket != UNASKED) {
            if (IsMessage(question)) Unreported(session->state);
            QuestionDrop(question);
            return TCL_ERROR;
        }
        if (session->drive == NULL) { /* by a script that is the channel of a message */
            QuestionDrop(question);
            return Fail(interp, SMTP_ERR_CLOSED, "the session is closed");
        }
        question->ticket = ticket;
    }
    question->session = session;
    question->refs++;
    Enqueue(session, question, NULL);
    session->refs++;
    Tcl_Preserve(interp);
    if (question->many != NULL && Unasked(session) == question) AskThem(session);
    if (question->command != NULL || ManyIsTold(question)) {
        Tcl_SetObjResult(interp, Tcl_NewObj());
        if (session->drive != NULL) DriveLater(session->drive); /* the script never runs before this has returned */
    } else {
        if (session->drive != NULL) DriveStep(session->drive);
        result = Wait(interp, &question->done);
        if (result == TCL_OK) result = TellAnswer(interp, question);
    }
    DropSession(session);
    QuestionDrop(question);
    Tcl_Release(interp);
    return result;
}

static int ObjectCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    Session *session = data;
    int result;

    if (objc < 2) {
        Tcl_WrongNumArgs(interp, 1, objv, "verb ?arg ...?");
        return TCL_ERROR;
    }
    session->refs++;
    Tcl_Preserve(interp);
    result = Verb(session, NULL, objc - 1, objv + 1);
    DropSession(session);
    Tcl_Release(interp);
    return result;
}

int SessionCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    static const char *const words[] = {"open", NULL};
    State *state = data;
    Session *session;
    Tcl_DString host;
    smtp_engine *engine = NULL;
    smtp_result *result = NULL;
    char name[48];
    int word, port = 0, first = 3, status;

    if (objc < 3 || *Tcl_GetString(objv[2]) == '-') {
        Tcl_WrongNumArgs(interp, 1, objv, "open host ?port? ?option value ...?");
        return TCL_ERROR;
    }
    if (Tcl_GetIndexFromObj(interp, objv[1], words, "subcommand", 0, &word) != TCL_OK) return TCL_ERROR;
    if (objc > 3 && *Tcl_GetString(objv[3]) != '-') {
        if (Tcl_GetIntFromObj(NULL, objv[3], &port) != TCL_OK)
            return Fail(interp, SMTP_ERR_USAGE, "the port, which follows the server's name, must be a number from 0 to 65535");
        first = 4;
    }
    if ((objc - first) % 2 != 0) {
        Tcl_WrongNumArgs(interp, 1, objv, "open host ?port? ?option value ...?");
        return TCL_ERROR;
    }
    session = calloc(1, sizeof *session);
    if (session == NULL) Tcl_Panic("smtp: no memory");
    session->state = state;
    session->refs = 1; /* the command's */
    if (OptionsParse(state, NULL, objc - first, objv + first, &session->options) != TCL_OK) {
        free(session);
        return TCL_ERROR;
    }
    if (TextOf(interp, objv[2], "the host", &host) == NULL) {
        DropSession(session);
        return TCL_ERROR;
    }
    status = smtp_engine_new_session(Tcl_DStringValue(&host), port, session->options.smtp, &engine);
    Tcl_DStringFree(&host);
    if (status != SMTP_OK) {
        smtp_engine_result(engine, &result);
        Fail(interp, status, smtp_result_error(result));
        smtp_result_free(result);
        smtp_engine_free(engine);
        DropSession(session);
        return TCL_ERROR;
    }
    session->engine = engine;
    session->drive = DriveNew(state, session, Progress, Gone);
    DriveBegin(session->drive, engine);
    session->refs++; /* the drive's */
    snprintf(name, sizeof name, "::smtp::session%lu", ++state->serial);
    session->token = Tcl_CreateObjCommand(interp, name, ObjectCmd, session, Deleted);
    session->refs++;
    Tcl_Preserve(interp);
    status = Expect(session, QuestionNew(-1, NULL, NULL));
    if (!Tcl_InterpDeleted(interp)) {
        /* Nothing can be said to a server that greets with anything but 220. */
        int code = 0;
        Tcl_Obj *value = NULL;

        if (status == TCL_OK && session->greeting != NULL) {
            Tcl_ListObjIndex(NULL, session->greeting, 1, &value);
            if (value != NULL) Tcl_GetIntFromObj(NULL, value, &code);
        }
        if (code == 220) {
            Tcl_SetObjResult(interp, Tcl_NewStringObj(name, -1));
        } else {
            Tcl_InterpState kept = Tcl_SaveInterpState(interp, status);

            if (session->token != NULL) Tcl_DeleteCommandFromToken(interp, session->token);
            status = Tcl_RestoreInterpState(interp, kept);
            if (status == TCL_OK) {
                Tcl_ListObjIndex(NULL, session->greeting, 3, &value);
                Tcl_SetObjResult(interp, Tcl_ObjPrintf("the server refused the greeting: %d %s", code,
                    value == NULL ? "" : Tcl_GetString(value)));
                Tcl_SetObjErrorCode(interp, Tcl_ObjPrintf("SMTP refused %d {}", code));
                status = TCL_ERROR;
            }
        }
    }
    DropSession(session);
    Tcl_Release(interp);
    return status;
}
