/* What the parts of smtp::session share. */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "smtp_tcl.h"

#define UNASKED INT64_MIN /* a question that waits for its turn, or for its message */
#define ASKED INT64_MAX   /* all messages of sendmany were asked for */

/* What is asked and not answered. */
typedef struct Question {
    struct Question *next;
    struct Session *session; /* while it is one of the session's */
    int64_t ticket;
    int refs, done, code;
    int starved; /* its channel has not begun to give the message */
    int verb; /* of verbs.c; -1: the greeting */
    Tcl_Obj *words;
    Tcl_Obj *command, *value, *errorCode, *report;
    Options *options; /* of a message, with it and where it comes from */
    smtp_message *message;
    Source *source;
    int tells; /* the command gets the report, too */
    struct Many *many;      /* of sendmany: its messages */
    struct Question *whole; /* of a message of sendmany: that, and its place there */
    Tcl_Size index;
} Question;

typedef struct Session {
    State *state;
    Drive *drive;
    smtp_engine *engine; /* the drive's */
    Tcl_Command token;
    Question *questions;
    Options options;
    Tcl_Obj *greeting;
    int refs;
    int over;    /* the connection has ended: a message may begin another */
    int telling; /* scripts of sendmany's messages that run */
} Session;

/* session.c. Ask it when those before it were asked; wait for the answer, or leave it to the command. Takes the question. */
int Expect(Session *session, Question *question);
/* Asks what could not be asked before. */
void AskOn(Session *session);

/* question.c */
Question *QuestionNew(int verb, Tcl_Obj *words, Tcl_Obj *command);
void QuestionDrop(Question *question);
/* Puts a question before another one, or after all (NULL). */
void Enqueue(Session *session, Question *question, const Question *before);
void Unlink(Session *session, const Question *question);
/* Takes out the one with that ticket; NULL where there is none. */
Question *Find(Session *session, int64_t ticket);
/* Tells what was answered to a question that is not among the session's any more. report: NULL but of a message. */
void Reply(Session *session, Question *question, int code, Tcl_Obj *value, Tcl_Obj *errorCode, Tcl_Obj *report);
/* Leaves the answer in the interpreter, for the command that waited for it. */
int TellAnswer(Tcl_Interp *interp, Question *question);

/* many.c. Takes the arguments of sendmany. */
int ManyBegin(Session *session, Question *whole, int objc, Tcl_Obj *const objv[]);
/* Whether a script hears of each message, so that sendmany returns at once. */
int ManyIsTold(const Question *whole);
void ManyFree(Question *whole);
/* Composes the next message and puts it before the whole. False where it is not time for that. */
int ManyNext(Session *session, Question *whole);
/* The result of a message; and when it was told: answers the whole call after the last one. */
void ManyPut(const Question *one);
void ManyTake(Session *session, Question *whole);
/* Answers the whole, with this error for messages that were not asked for. */
void ManyEnd(Session *session, Question *whole, const char *why);

/* verbs.c. One word, and what follows it, said to an open session. */
int Verb(Session *session, Tcl_Obj *command, int objc, Tcl_Obj *const objv[]);
/* The message of sendmessage, which is asked for when it has begun to come. */
int Compose(Session *session, Question *question, int objc, Tcl_Obj *const objv[]);
/* Gives the ticket; UNASKED where the message has not come yet; another negative number and an error where it cannot be
 * asked. */
int64_t Ask(Session *session, Question *question);
/* What a question without a reply is answered with, where it succeeded. */
Tcl_Obj *Offer(const Question *question, smtp_engine *engine);
/* Whether the answer is that of sendmessage. */
int IsMessage(const Question *question);

#endif
