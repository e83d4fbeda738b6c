/* What the parts of the Tcl package share. */
#ifndef SMTP_TCL_H
#define SMTP_TCL_H

#include <libsmtp.h>
#include <tcl.h>

#ifndef TCL_SIZE_MAX /* Tcl 8.6 */
typedef int Tcl_Size;
#endif

#define PACKAGE_NAME "smtp"
#define PACKAGE_VERSION "1.6.0"
#define NOTHING_SENT 7 /* tcllib's return code for a step that the server refused */

/* What an interpreter has of us. */
typedef struct State {
    Tcl_Interp *interp;
    struct Drive *drives;
    Tcl_Obj *report; /* of the last send */
    unsigned long serial;
} State;

/* text.c: Tcl's strings are not quite UTF-8. The text lives in the DString, which is initialised here. NULL: it holds
 * a NUL; the interpreter has an error. */
const char *TextOf(Tcl_Interp *interp, Tcl_Obj *obj, const char *what, Tcl_DString *into);
Tcl_Obj *TextFrom(const char *utf8);
/* The octets of a string of characters up to U+00FF; NULL and an error where there are others. */
const unsigned char *OctetsOf(Tcl_Interp *interp, Tcl_Obj *obj, const char *what, Tcl_Size *length);
int Fail(Tcl_Interp *interp, int status, const char *text);
/* The error code of the error that the interpreter has now, with a reference that is the caller's. Not by ::errorCode:
 * a trace there may fail, or do anything. */
Tcl_Obj *ErrorCodeOf(Tcl_Interp *interp);

/* watch.c: calls ready from the event loop while the descriptor is as the mask says, until it is unwatched. One for each descriptor. */
void Watch(int fd, int mask, Tcl_FileProc *ready, void *data);
void Unwatch(int fd);

/* drive.c: an engine, its connection, and the event loop. */
typedef struct Drive {
    State *state;
    struct Drive *next, **link;
    smtp_engine *engine;
    int refs, busy, again, over;
    int fd; /* that is watched; -1: none */
    Tcl_TimerToken timer;
    /* After every step, and when it is over. */
    void (*progress)(struct Drive *drive);
    void (*gone)(struct Drive *drive); /* the interpreter goes: close it, and tell nobody */
    void *owner;
} Drive;

Drive *DriveNew(State *state, void *owner, void (*progress)(Drive *), void (*gone)(Drive *));
/* Nothing happens before it has an engine. */
void DriveBegin(Drive *drive, smtp_engine *engine);
void DriveStep(Drive *drive);
/* A step from the event loop. */
void DriveLater(Drive *drive);
/* Ends the send; within a script that it has called, when that has returned: nothing more is said. */
void DriveAbort(Drive *drive);
/* Ends it; progress is not called any more. */
void DriveClose(Drive *drive);
void DriveHold(Drive *drive);
void DriveRelease(Drive *drive);

/* source.c: a message out of a Tcl channel. */
typedef struct Source Source;
Source *SourceNew(Tcl_Interp *interp, Tcl_Obj *channel, int own);
/* Takes it into memory where it is known to be small: then whether it is 8-bit can be told. */
int SourceWhole(Source *source, smtp_message *message);
/* Gives it to a message, from its first octet. */
int SourceMessage(Source *source, smtp_message *message);
/* Whether the message that it was given to could not begin only because there is no more of the header section yet. */
int SourceStarved(const Source *source);
/* Calls ready once, when there is more, or when it will not come or take longer. */
void SourceWait(Source *source, long long ms, void (*ready)(void *data), void *data);
/* From here on the drive is stepped when there is more. */
void SourceFeeds(Source *source, Drive *drive);
/* The channel is given back as it was; whatever still reads from it fails. */
void SourceClose(Source *source);

/* script.c: a script that one of the library's functions calls. */
typedef struct Script {
    Tcl_Interp *interp;
    Tcl_Obj *script;
    Tcl_Obj *error, *message; /* of -tlspolicy: what it threw */
    int refs, runs; /* how often it runs now */
} Script;
Script *ScriptNew(Tcl_Interp *interp, Tcl_Obj *script);
void ScriptDrop(void *script);
/* Evaluates a call: TCL_OK, or TCL_ERROR and why, also for break, continue and codes of the script's own. */
int ScriptEval(Tcl_Interp *interp, Tcl_Obj *call);
/* Calls it with these words more, as ScriptEval does. The result is the interpreter's until ScriptDone, which must follow, even where the
 * interpreter is gone then. */
int ScriptCall(Script *script, size_t count, Tcl_Obj *const words[]);
/* Why a call failed, for the library: its result, or that the interpreter is gone. */
void ScriptWhy(Script *script, const char *what, Tcl_DString *into);
void ScriptDone(Script *script);
void DictPut(Tcl_Obj *dict, const char *key, Tcl_Obj *value);

/* options.c */
typedef struct Options {
    smtp_options *smtp;
    Tcl_Obj *command, *file, *channel, *message;
    int atLeastOne;
    Tcl_Obj *originator, *headers; /* as given; names and values one after the other */
    long long patience; /* for a header section that does not come, in ms */
    Script *policy, *dialler;
    const char *asks; /* the last option whose script the library calls; NULL: none */
} Options;
/* Begins with a copy of base, the options of a session or mailer; NULL: with the defaults. */
int OptionsParse(State *state, const Options *base, int objc, Tcl_Obj *const objv[], Options *into);
void OptionsFree(Options *options);

/* Set the script that is asked before the end of each message leaves, and the one that is told how far it has got; the code of the
 * library. */
int CommitOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *script);
int ProgressOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *script);
/* Add a script that signs messages, or set the one that connects or that decides when TLS fails, and give the library's code.
 * *script is for whoever wants to know whether it runs, or what it threw: ScriptDrop it. */
int SignerOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *script);
int DiallerOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *words, Script **script);
int PolicyOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *words, Script **script);
/* Adds a login mechanism: a list of name, script, and whether it shows a secret. TCL_OK with the code of the library in *status. */
int MechanismOption(Tcl_Interp *interp, smtp_options *options, Tcl_Obj *value, int *status);

/* What a -tlspolicy script threw: the return options and the message, to be given back once. */
Tcl_Obj *PolicyError(Script *policy, Tcl_Obj **message);

/* message.c: the message that the arguments name, and the source that it comes from, if there is one; without a place for a
 * source the message is in memory or a file. */
smtp_message *MessageOf(State *state, Tcl_Obj *token, Options *options, Source **source);
/* Whether there is a token before the options. */
int TokenFirst(Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], Tcl_Obj **token);

/* report.c */
Tcl_Obj *ReportDict(const smtp_result *result);
/* The code and, in *value, the result of a command that sent with these options; *errorCode is set, empty where nothing
 * failed. */
int Outcome(const smtp_result *result, const Options *options, Tcl_Obj **value, Tcl_Obj **errorCode);
/* Calls a script of -command; an error in it is a background error. */
void Announce(Tcl_Interp *interp, Tcl_Obj *command, int code, Tcl_Obj *value, Tcl_Obj *errorCode, Tcl_Obj *report);
/* The result of a message that no engine was asked to send; the caller frees it. */
smtp_result *Unbegun(int status, const char *text);
/* The last message could not be begun: no report of one before stands for it. Gives TCL_ERROR. */
int Unreported(State *state);

/* options.c, send.c, session.c, mailer.c, tls.c */
Tcl_ObjCmdProc OptionsCmd, MailerCmd, SendmessageCmd, VerifyCmd, CancelCmd, SessionCmd, TlsCmd;
/* unnamed.c, for Windows. */
Tcl_ObjCmdProc UnnamedCmd;
/* Option -tls. */
int TlsOption(Tcl_Interp *interp, Options *into, Tcl_Obj *value);

/* Runs the event loop until *done or the interpreter goes. */
int Wait(Tcl_Interp *interp, const int *done);

#endif
