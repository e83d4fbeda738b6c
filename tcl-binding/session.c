/* smtp::session: one open connection as a command, verb by verb. */
#include "smtp_tcl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is asked and not answered. */
typedef struct Question {
    struct Question *next;
    int64_t ticket;
    int refs, done, code;
    int message; /* its answer is that of sendmessage */
    int offer;   /* 'o': wants the extensions, 'a': the mechanisms */
    Tcl_Obj *command, *value, *errorCode;
    smtp_engine *engine;
} Question;

typedef struct Session {
    State *state;
    Drive *drive;
    smtp_engine *engine; /* the drive's */
    Tcl_Command token;
    Question *questions;
    Options options;
    Tcl_Obj *greeting;
    int refs, closing;
} Session;

static void DropQuestion(Question *question)
{
    if (--question->refs > 0) return;
    if (question->command != NULL) Tcl_DecrRefCount(question->command);
    if (question->value != NULL) Tcl_DecrRefCount(question->value);
    if (question->errorCode != NULL) Tcl_DecrRefCount(question->errorCode);
    free(question);
}

static void DropSession(Session *session)
{
    if (--session->refs > 0) return;
    if (session->greeting != NULL) Tcl_DecrRefCount(session->greeting);
    OptionsFree(&session->options);
    free(session);
}

static void Give(Question *question, int code, Tcl_Obj *value, Tcl_Obj *errorCode)
{
    question->code = code;
    question->value = value;
    question->errorCode = errorCode;
    Tcl_IncrRefCount(value);
    Tcl_IncrRefCount(errorCode);
    question->done = 1;
}

static int TellAnswer(Tcl_Interp *interp, Question *question)
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
        if (question->code != TCL_OK) Tcl_SetVar2Ex(interp, "errorCode", NULL, question->errorCode, TCL_GLOBAL_ONLY);
        code = Tcl_EvalObjEx(interp, call, TCL_EVAL_GLOBAL);
    }
    if (code != TCL_OK) Tcl_BackgroundException(interp, code);
    Tcl_Release(interp);
    Tcl_DecrRefCount(call);
}

static Tcl_Obj *Lines(const char *text)
{
    Tcl_Obj *list = Tcl_NewListObj(0, NULL);

    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        size_t length = end == NULL ? strlen(text) : (size_t)(end - text);

        Tcl_ListObjAppendElement(NULL, list, Tcl_NewStringObj(text, (Tcl_Size)length));
        text += length + (end != NULL);
    }
    return list;
}

static Tcl_Obj *ErrorCode(const smtp_engine *engine, int status)
{
    Tcl_Obj *four[4];

    four[0] = Tcl_NewStringObj("SMTP", -1);
    four[1] = Tcl_NewStringObj(smtp_code_name(status), -1);
    four[2] = Tcl_NewIntObj(smtp_engine_answer_code(engine));
    four[3] = TextFrom(smtp_engine_answer_enhanced(engine));
    return Tcl_NewListObj(4, four);
}

static void Answer(Session *session, Question *question)
{
    smtp_engine *engine = session->engine;
    int status = smtp_engine_answer_status(engine);
    smtp_result *result = NULL;

    if (question->message) {
        Tcl_Obj *value, *errorCode;
        State *state = session->state;
        int code;

        smtp_engine_answer_result(engine, &result);
        code = Outcome(result, &value, &errorCode);
        Give(question, code, value, errorCode);
        if (state->report != NULL) Tcl_DecrRefCount(state->report);
        state->report = ReportDict(result);
        Tcl_IncrRefCount(state->report);
        smtp_result_free(result);
    } else if (smtp_engine_answer_code(engine) != 0 && status != SMTP_ERR_LOGIN) {
        Tcl_Obj *six[6];

        six[0] = Tcl_NewStringObj("code", -1);
        six[1] = Tcl_NewIntObj(smtp_engine_answer_code(engine));
        six[2] = Tcl_NewStringObj("diagnostic", -1);
        six[3] = TextFrom(smtp_engine_answer_text(engine));
        six[4] = Tcl_NewStringObj("enhanced", -1);
        six[5] = TextFrom(smtp_engine_answer_enhanced(engine));
        Give(question, TCL_OK, Tcl_NewListObj(6, six), Tcl_NewObj());
    } else if (status == SMTP_OK) {
        Tcl_Obj *value = question->offer == 'o' ? Lines(smtp_engine_extensions(engine))
            : question->offer == 'a'            ? Lines(smtp_engine_auth_types(engine))
                                                : Tcl_NewObj();
        Give(question, TCL_OK, value, Tcl_NewObj());
    } else {
        Give(question, TCL_ERROR, TextFrom(smtp_engine_answer_error(engine)), ErrorCode(engine, status));
    }
}

static Question *Find(Session *session, int64_t ticket)
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

/* Whoever still waits is told that there is no answer. */
static void Unanswered(Session *session, const char *why)
{
    Question *question;

    while ((question = session->questions) != NULL) {
        Tcl_Obj *four[4];

        session->questions = question->next;
        four[0] = Tcl_NewStringObj("SMTP", -1);
        four[1] = Tcl_NewStringObj("closed", -1);
        four[2] = Tcl_NewIntObj(0);
        four[3] = Tcl_NewObj();
        Give(question, TCL_ERROR, Tcl_NewStringObj(why, -1), Tcl_NewListObj(4, four));
        CallBack(session->state->interp, question);
        DropQuestion(question);
    }
}

static void Close(Session *session)
{
    if (session->drive == NULL) return;
    DriveClose(session->drive);
    session->drive = NULL;
    session->engine = NULL;
    DropSession(session);
}

static void Progress(Drive *drive)
{
    Session *session = drive->owner;
    int64_t ticket;

    session->refs++;
    while (session->drive != NULL && smtp_engine_answer(session->engine, &ticket) == 1) {
        Question *question = Find(session, ticket);

        if (question == NULL) continue;
        Answer(session, question);
        if (ticket == 0 && question->code == TCL_OK && session->greeting == NULL) {
            session->greeting = question->value;
            Tcl_IncrRefCount(session->greeting);
        }
        CallBack(session->state->interp, question);
        DropQuestion(question);
    }
    if (session->drive != NULL && smtp_engine_action(session->engine) == SMTP_DONE) {
        Close(session);
        Unanswered(session, "the session is closed");
    }
    DropSession(session);
}

static void Gone(Drive *drive)
{
    Session *session = drive->owner;
    Question *question;

    for (question = session->questions; question != NULL; question = question->next) question->done = 1;
    while ((question = session->questions) != NULL) {
        session->questions = question->next;
        DropQuestion(question);
    }
    Close(session);
}

static void Deleted(void *data)
{
    Session *session = data;

    session->token = NULL;
    if (session->drive != NULL && !Tcl_InterpDeleted(session->state->interp)) {
        session->closing = 1;
        if (smtp_engine_part(session->engine) == SMTP_OK) { /* QUIT, in the background */
            DriveStep(session->drive);
        } else {
            Close(session);
        }
        if (session->questions != NULL) Unanswered(session, "the session is closed");
    }
    DropSession(session);
}

/* Waits for the answer, or leaves it to the callback. */
static int Expect(Session *session, Question *question, int64_t ticket)
{
    Tcl_Interp *interp = session->state->interp;
    Question **at;
    int result = TCL_OK;

    if (ticket < 0) {
        Fail(interp, (int)ticket, smtp_engine_ask_error(session->engine));
        DropQuestion(question);
        return TCL_ERROR;
    }
    question->ticket = ticket;
    question->refs++;
    for (at = &session->questions; *at != NULL; at = &(*at)->next) {
    }
    *at = question;
    session->refs++;
    Tcl_Preserve(interp);
    if (question->command != NULL) {
        Tcl_SetObjResult(interp, Tcl_NewObj());
        session->drive->again = 1;
        if (!session->drive->busy) DriveStep(session->drive);
    } else {
        DriveStep(session->drive);
        result = Wait(interp, &question->done);
        if (result == TCL_OK) result = TellAnswer(interp, question);
    }
    DropSession(session);
    DropQuestion(question);
    Tcl_Release(interp);
    return result;
}

/* The texts that a verb takes; NULL where they are not given. */
static int Texts(Tcl_Interp *interp, int count, Tcl_Obj *const objv[], Tcl_DString texts[], const char *values[])
{
    int i;

    for (i = 0; i < count; i++) {
        values[i] = TextOf(interp, objv[i], "the argument", &texts[i]);
        if (values[i] == NULL) {
            while (i-- > 0) Tcl_DStringFree(&texts[i]);
            return TCL_ERROR;
        }
    }
    return TCL_OK;
}

static int64_t Line(smtp_engine *engine, const char *verb, const char *rest)
{
    Tcl_DString line;
    int64_t ticket;

    Tcl_DStringInit(&line);
    Tcl_DStringAppend(&line, verb, -1);
    if (rest != NULL && *rest != '\0') {
        Tcl_DStringAppend(&line, " ", 1);
        Tcl_DStringAppend(&line, rest, -1);
    }
    ticket = smtp_engine_ask_command(engine, Tcl_DStringValue(&line));
    Tcl_DStringFree(&line);
    return ticket;
}

enum { ASYNC, AUTHENTICATE, AUTHTYPES, CLOSE, COMMAND, DATA, EHLO, EXPN, GREETING, HELO, HELP, LHLO, MAIL, NOOP, ISOPEN,
    OPTIONS, QUIT, RCPT, RSET, SENDMESSAGE, STARTTLS, VRFY };
static const struct Verb {
    const char *name;
    int least, most; /* arguments */
    const char *usage;
} verbs[] = {{"async", 2, 999, "script verb ?arg ...?"}, {"authenticate", 2, 3, "user password ?mechanism?"},
    {"authtypes", 0, 0, NULL}, {"close", 0, 0, NULL}, {"command", 1, 1, "line"}, {"data", 1, 1, "message"},
    {"ehlo", 0, 1, "?name?"}, {"expn", 1, 1, "list"}, {"greeting", 0, 0, NULL}, {"helo", 0, 1, "?name?"},
    {"help", 0, 1, "?topic?"}, {"lhlo", 0, 1, "?name?"}, {"mail", 1, 2, "from ?parameters?"}, {"noop", 0, 0, NULL},
    {"open", 0, 0, NULL}, {"options", 0, 0, NULL}, {"quit", 0, 0, NULL}, {"rcpt", 1, 2, "to ?parameters?"},
    {"rset", 0, 0, NULL}, {"sendmessage", 1, 999, "token ?option value ...?"}, {"starttls", 0, 0, NULL},
    {"vrfy", 1, 1, "name"}, {NULL, 0, 0, NULL}};

static int Sendmessage(Session *session, Question *question, int objc, Tcl_Obj *const objv[])
{
    Tcl_Interp *interp = session->state->interp;
    Options options;
    Source *source;
    smtp_message *message;
    Tcl_Obj *token;
    int64_t ticket;
    int first = TokenFirst(interp, objc, objv, &token), result;

    if (first < 0 || OptionsParse(session->state, objc - first, objv + first, &options) != TCL_OK) {
        DropQuestion(question);
        return TCL_ERROR;
    }
    message = MessageOf(session->state, token, &options, &source);
    if (message == NULL || session->drive == NULL) {
        if (message != NULL) Fail(interp, SMTP_ERR_CLOSED, "the session is closed");
        smtp_message_free(message);
        OptionsFree(&options);
        DropQuestion(question);
        return TCL_ERROR;
    }
    question->message = 1;
    ticket = smtp_engine_ask_sendmessage(session->engine, message, options.smtp);
    smtp_message_free(message);
    /* A source that is not at hand has its own loop: the session reads it in place. */
    session->refs++;
    question->refs++;
    if (source != NULL && session->drive->source == NULL && ticket > 0 && question->command == NULL) {
        SourceFeeds(source, session->drive);
        result = Expect(session, question, ticket);
        if (session->drive != NULL && session->drive->source == source) {
            session->drive->source = NULL;
            SourceClose(source);
        }
    } else {
        result = Expect(session, question, ticket);
        if (source != NULL) SourceLeave(source);
    }
    DropQuestion(question);
    DropSession(session);
    OptionsFree(&options);
    return result;
}

static int Verb(Session *session, Tcl_Obj *command, int objc, Tcl_Obj *const objv[])
{
    Tcl_Interp *interp = session->state->interp;
    smtp_engine *engine = session->engine;
    Tcl_DString texts[3];
    const char *text[3] = {NULL, NULL, NULL};
    int64_t ticket = SMTP_ERR_USAGE;
    int verb, count = objc - 1, i;
    Question *question;

    if (Tcl_GetIndexFromObjStruct(interp, objv[0], verbs, sizeof *verbs, "verb", 0, &verb) != TCL_OK) return TCL_ERROR;
    if (count < verbs[verb].least || count > verbs[verb].most) {
        Tcl_WrongNumArgs(interp, 1, objv, verbs[verb].usage);
        return TCL_ERROR;
    }
    if (verb == ISOPEN) {
        Tcl_SetObjResult(interp, Tcl_NewBooleanObj(session->drive != NULL));
        return TCL_OK;
    }
    if (verb == GREETING) {
        if (session->greeting != NULL) Tcl_SetObjResult(interp, session->greeting);
        return TCL_OK;
    }
    if (verb == CLOSE) {
        if (session->token != NULL) Tcl_DeleteCommandFromToken(interp, session->token);
        return TCL_OK;
    }
    if (verb == ASYNC) {
        if (command == NULL) return Verb(session, objv[1], objc - 2, objv + 2);
        return Fail(interp, SMTP_ERR_USAGE, "async within async");
    }
    if (session->drive == NULL) return Fail(interp, SMTP_ERR_CLOSED, "the session is closed");
    question = calloc(1, sizeof *question);
    if (question == NULL) Tcl_Panic("smtp: no memory");
    question->refs = 1;
    question->command = command;
    if (command != NULL) Tcl_IncrRefCount(command);
    if (verb == SENDMESSAGE) return Sendmessage(session, question, objc - 1, objv + 1);
    if (verb == DATA) {
        Tcl_Size length;
        const unsigned char *octets = OctetsOf(interp, objv[1], "the message", &length);

        if (octets == NULL) {
            DropQuestion(question);
            return TCL_ERROR;
        }
        return Expect(session, question, smtp_engine_ask_data(engine, octets, (size_t)length));
    }
    if (Texts(interp, count, objv + 1, texts, text) != TCL_OK) {
        DropQuestion(question);
        return TCL_ERROR;
    }
    switch (verb) {
    case AUTHENTICATE: ticket = smtp_engine_ask_login(engine, text[0], text[1], text[2]); break;
    case AUTHTYPES: question->offer = 'a'; ticket = smtp_engine_ask_introduce(engine); break;
    case COMMAND: ticket = smtp_engine_ask_command(engine, text[0]); break;
    case EHLO: ticket = smtp_engine_ask_ehlo(engine, text[0]); break;
    case EXPN: ticket = Line(engine, "EXPN", text[0]); break;
    case HELO: ticket = smtp_engine_ask_helo(engine, text[0]); break;
    case HELP: ticket = Line(engine, "HELP", text[0]); break;
    case LHLO: ticket = smtp_engine_ask_lhlo(engine, text[0]); break;
    case MAIL: ticket = smtp_engine_ask_mail(engine, text[0], text[1]); break;
    case NOOP: ticket = Line(engine, "NOOP", NULL); break;
    case OPTIONS: question->offer = 'o'; ticket = smtp_engine_ask_introduce(engine); break;
    case QUIT: ticket = smtp_engine_ask_quit(engine); break;
    case RCPT: ticket = smtp_engine_ask_rcpt(engine, text[0], text[1]); break;
    case RSET: ticket = Line(engine, "RSET", NULL); break;
    case STARTTLS: ticket = smtp_engine_ask_starttls(engine); break;
    case VRFY: ticket = Line(engine, "VRFY", text[0]); break;
    }
    for (i = 0; i < count; i++) Tcl_DStringFree(&texts[i]);
    return Expect(session, question, ticket);
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
    result = Verb(session, NULL, objc - 1, objv + 1);
    DropSession(session);
    return result;
}

int SessionCmd(void *data, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    static const char *const words[] = {"open", NULL};
    State *state = data;
    Session *session;
    Question *question;
    Tcl_DString host;
    smtp_engine *engine = NULL;
    smtp_result *result = NULL;
    char name[48];
    int word, port = 0, first = 3, status;

    if (objc < 3) {
        Tcl_WrongNumArgs(interp, 1, objv, "open host ?port? ?option value ...?");
        return TCL_ERROR;
    }
    if (Tcl_GetIndexFromObj(interp, objv[1], words, "subcommand", 0, &word) != TCL_OK) return TCL_ERROR;
    if (objc > 3 && *Tcl_GetString(objv[3]) != '-') {
        if (Tcl_GetIntFromObj(interp, objv[3], &port) != TCL_OK) return TCL_ERROR;
        if (port < 0 || port > 65535) return Fail(interp, SMTP_ERR_USAGE, "a port is a number from 1 to 65535");
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
    if (OptionsParse(state, objc - first, objv + first, &session->options) != TCL_OK) {
        free(session);
        return TCL_ERROR;
    }
    if (TextOf(interp, objv[2], "the host", &host) == NULL) {
        DropSession(session);
        return TCL_ERROR;
    }
    status = smtp_engine_new_session(Tcl_DStringValue(&host), (uint16_t)port, session->options.smtp, &engine);
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
    session->drive = DriveNew(state, engine, session->options.local, session, Progress, Gone);
    session->refs++; /* the drive's */
    snprintf(name, sizeof name, "::smtp::session%lu", ++state->serial);
    session->token = Tcl_CreateObjCommand(interp, name, ObjectCmd, session, Deleted);
    question = calloc(1, sizeof *question);
    if (question == NULL) Tcl_Panic("smtp: no memory");
    question->refs = 1;
    session->refs++;
    Tcl_Preserve(interp);
    status = Expect(session, question, 0);
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
