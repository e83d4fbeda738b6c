/* The verbs of a session, and how each is asked. */
#include "session.h"
#include <stdlib.h>
#include <string.h>

enum { GREETED = -1, ASYNC, AUTHENTICATE, AUTHTYPES, CLOSE, COMMAND, DATA, EHLO, EXPN, GREETING, HELO, HELP, LHLO,
    MAIL, NOOP, ISOPEN, OPTIONS, QUIT, RCPT, RSET, SENDMANY, SENDMESSAGE, STARTTLS, VRFY };
static const struct Verb {
    const char *name;
    int least, most; /* arguments */
    const char *usage;
} verbs[] = {
    [ASYNC] = {"async", 2, 999, "script verb ?arg ...?"},
    [AUTHENTICATE] = {"authenticate", 2, 3, "user password ?mechanism?"},
    [AUTHTYPES] = {"authtypes", 0, 0, NULL},
    [CLOSE] = {"close", 0, 0, NULL},
    [COMMAND] = {"command", 1, 1, "line"},
    [DATA] = {"data", 1, 1, "message"},
    [EHLO] = {"ehlo", 0, 1, "?name?"},
    [EXPN] = {"expn", 1, 1, "list"},
    [GREETING] = {"greeting", 0, 0, NULL},
    [HELO] = {"helo", 0, 1, "?name?"},
    [HELP] = {"help", 0, 1, "?topic?"},
    [LHLO] = {"lhlo", 0, 1, "?name?"},
    [MAIL] = {"mail", 1, 2, "from ?parameters?"},
    [NOOP] = {"noop", 0, 0, NULL},
    [ISOPEN] = {"open", 0, 0, NULL},
    [OPTIONS] = {"options", 0, 0, NULL},
    [QUIT] = {"quit", 0, 0, NULL},
    [RCPT] = {"rcpt", 1, 2, "to ?parameters?"},
    [RSET] = {"rset", 0, 0, NULL},
    [SENDMANY] = {"sendmany", 1, 999, "messages ?option value ...?"},
    [SENDMESSAGE] = {"sendmessage", 1, 999, "token ?option value ...?"},
    [STARTTLS] = {"starttls", 0, 0, NULL},
    [VRFY] = {"vrfy", 1, 1, "name"},
    [VRFY + 1] = {NULL, 0, 0, NULL}
};

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

static int64_t AskVerb(smtp_engine *engine, int verb, const char *const text[])
{
    switch (verb) {
    case AUTHENTICATE: return smtp_engine_ask_login(engine, text[0], text[1], text[2]);
    case MAIL: return smtp_engine_ask_mail(engine, text[0], text[1]);
    case RCPT: return smtp_engine_ask_rcpt(engine, text[0], text[1]);
    case STARTTLS: return smtp_engine_ask_starttls(engine);
    case AUTHTYPES:
    case OPTIONS: return smtp_engine_ask_introduce(engine);
    default: return smtp_engine_ask(engine, verbs[verb].name, text);
    }
}

int Compose(Session *session, Question *question, int objc, Tcl_Obj *const objv[])
{
    Tcl_Interp *interp = session->state->interp;
    Tcl_Obj *token;
    Options options;
    int first = TokenFirst(interp, objc, objv, &token);

    if (first < 0 || OptionsParse(session->state, &session->options, objc - first, objv + first, &options) != TCL_OK) {
        return TCL_ERROR;
    }
    question->options = malloc(sizeof options);
    if (question->options == NULL) Tcl_Panic("smtp: no memory");
    *question->options = options;
    question->verb = SENDMESSAGE;
    if (options.command != NULL) {
        if (question->command != NULL) return Fail(interp, SMTP_ERR_USAGE, "-command within async: one of them calls back");
        question->command = options.command;
        Tcl_IncrRefCount(question->command);
        question->tells = 1;
    }
    question->message = MessageOf(session->state, token, question->options, &question->source);
    return question->message == NULL ? TCL_ERROR : TCL_OK;
}

static void Ready(void *data)
{
    Question *question = data;

    question->starved = 0;
    AskOn(question->session);
}

static int64_t AskMessage(Session *session, Question *question)
{
    int64_t ticket;

    if (question->source != NULL) SourceMessage(question->source, question->message);
    ticket = smtp_engine_ask_sendmessage(session->engine, question->message, question->options->smtp);
    if (ticket < 0 && question->source != NULL && SourceStarved(question->source)) {
        question->starved = 1;
        SourceWait(question->source, question->options->patience, Ready, question);
        return UNASKED;
    }
    if (session->engine == NULL) return SMTP_ERR_CLOSED;
    if (ticket >= 0 && question->source != NULL) SourceFeeds(question->source, session->drive);
    return ticket;
}

int64_t Ask(Session *session, Question *question)
{
    Tcl_Interp *interp = session->state->interp;
    smtp_engine *engine = session->engine;
    Tcl_DString texts[3];
    const char *text[4] = {NULL, NULL, NULL, NULL};
    Tcl_Obj **objv;
    Tcl_Size objc = 0;
    int64_t ticket = SMTP_ERR_USAGE;
    int i;

    if (question->verb == GREETED) return 0;
    if (question->verb == SENDMESSAGE) {
        ticket = AskMessage(session, question);
    } else if (Tcl_ListObjGetElements(interp, question->words, &objc, &objv) != TCL_OK) {
        return ticket;
    } else if (question->verb == DATA) {
        Tcl_Size length;
        const unsigned char *octets = OctetsOf(interp, objv[1], "the message", &length);

        if (octets == NULL) return ticket;
        ticket = smtp_engine_ask_data(engine, octets, (size_t)length);
    } else {
        if (Texts(interp, (int)objc - 1, objv + 1, texts, text) != TCL_OK) return ticket;
        ticket = AskVerb(engine, question->verb, text);
        for (i = 0; i < (int)objc - 1; i++) Tcl_DStringFree(&texts[i]);
    }
    if (ticket < 0 && ticket != UNASKED) {
        /* A script that is the channel of a message may have closed the session, and the engine with it. */
        if (ticket == SMTP_ERR_BUSY) {
            Fail(interp, (int)ticket, "a script of the session cannot use it: do that after the script has returned");
        } else {
            Fail(interp, (int)ticket, session->engine == NULL ? "the session is closed" : smtp_engine_ask_error(engine));
        }
    }
    return ticket;
}

int Verb(Session *session, Tcl_Obj *command, int objc, Tcl_Obj *const objv[])
{
    Tcl_Interp *interp = session->state->interp;
    int verb, count = objc - 1;
    Question *question;

    if (Tcl_GetIndexFromObjStruct(interp, objv[0], verbs, sizeof *verbs, "verb", 0, &verb) != TCL_OK) return TCL_ERROR;
    if (count < verbs[verb].least || count > verbs[verb].most) {
        Tcl_WrongNumArgs(interp, 1, objv, verbs[verb].usage);
        return TCL_ERROR;
    }
    switch (verb) {
    case ISOPEN: Tcl_SetObjResult(interp, Tcl_NewBooleanObj(session->drive != NULL && !session->over)); return TCL_OK;
    case GREETING:
        if (session->greeting != NULL) Tcl_SetObjResult(interp, session->greeting);
        return TCL_OK;
    case CLOSE:
        /* The messages that were asked for would arrive, and nobody would know. */
        if (session->telling > 0 && session->drive != NULL) {
            return Fail(interp, SMTP_ERR_USAGE, "a script of sendmany cannot close the session, as its other messages are under "
                "way: close it when sendmany has returned, or give up what becomes of them with: rename $session {}");
        }
        if (session->token != NULL) Tcl_DeleteCommandFromToken(interp, session->token);
        return TCL_OK;
    case ASYNC:
        if (command == NULL) return Verb(session, objv[1], objc - 2, objv + 2);
        return Fail(interp, SMTP_ERR_USAGE, "async within async");
    }
    question = QuestionNew(verb, Tcl_NewListObj(objc, objv), command);
    if (session->drive != NULL && verb == SENDMESSAGE && Compose(session, question, objc - 1, objv + 1) != TCL_OK) {
        QuestionDrop(question);
        return Unreported(session->state);
    }
    if (session->drive != NULL && verb == SENDMANY && ManyBegin(session, question, objc - 1, objv + 1) != TCL_OK) {
        QuestionDrop(question);
        return TCL_ERROR;
    }
    if (session->drive == NULL) {
        QuestionDrop(question);
        if (verb == SENDMESSAGE) Unreported(session->state);
        return Fail(interp, SMTP_ERR_CLOSED, "the session is closed");
    }
    return Expect(session, question);
}

Tcl_Obj *Offer(const Question *question, smtp_engine *engine)
{
    if (question->verb == OPTIONS) return Lines(smtp_engine_extensions(engine));
    if (question->verb == AUTHTYPES) return Lines(smtp_engine_auth_types(engine));
    return Tcl_NewObj();
}

int IsMessage(const Question *question)
{
    return question->verb == SENDMESSAGE;
}
