/* sendmany: several messages that share round trips. */
#include "session.h"
#include <stdlib.h>

#define WINDOW 64 /* messages that are asked for and not answered */

struct Many {
    Tcl_Obj *results, *options; /* what each came to; the options of all */
    Tcl_Size next, count, left; /* to be composed, of so many; not answered */
    int open, composing;
    int told; /* by a script of -command for each message: nobody waits for all */
};

int ManyBegin(Session *session, Question *whole, int objc, Tcl_Obj *const objv[])
{
    Tcl_Interp *interp = session->state->interp;
    struct Many *many;
    Options options;
    Tcl_Size count, i;
    int told;

    if (Tcl_ListObjLength(interp, objv[0], &count) != TCL_OK) return TCL_ERROR;
    if (objc % 2 == 0) return Fail(interp, SMTP_ERR_USAGE, "sendmany: each option must have a value");
    /* A mistake in these would be that of every message. */
    if (OptionsParse(session->state, &session->options, objc - 1, objv + 1, &options) != TCL_OK) return TCL_ERROR;
    told = options.command != NULL;
    OptionsFree(&options);
    many = calloc(1, sizeof *many);
    if (many == NULL) Tcl_Panic("smtp: no memory");
    many->count = many->left = count;
    many->told = told;
    many->options = Tcl_NewListObj(objc - 1, objv + 1);
    Tcl_IncrRefCount(many->options);
    many->results = Tcl_NewListObj(0, NULL);
    Tcl_IncrRefCount(many->results);
    for (i = 0; i < count; i++) Tcl_ListObjAppendElement(NULL, many->results, Tcl_NewObj());
    whole->many = many;
    return TCL_OK;
}

int ManyIsTold(const Question *whole)
{
    return whole->many != NULL && whole->many->told;
}

void ManyFree(Question *whole)
{
    if (whole->many == NULL) return;
    Tcl_DecrRefCount(whole->many->results);
    Tcl_DecrRefCount(whole->many->options);
    free(whole->many);
    whole->many = NULL;
}

/* The words of one message: its token, the options of all, its own. */
static Tcl_Obj *Words(Tcl_Interp *interp, const Question *whole, Tcl_Size index)
{
    Tcl_Obj *messages, *one, *words, **objv;
    Tcl_Size objc, i;

    Tcl_ListObjIndex(NULL, whole->words, 1, &messages);
    if (Tcl_ListObjIndex(interp, messages, index, &one) != TCL_OK) return NULL;
    if (Tcl_ListObjGetElements(interp, one, &objc, &objv) != TCL_OK) return NULL;
    words = Tcl_NewListObj(objc % 2, objv);
    Tcl_ListObjAppendList(NULL, words, whole->many->options);
    for (i = objc % 2; i < objc; i++) Tcl_ListObjAppendElement(NULL, words, objv[i]);
    Tcl_IncrRefCount(words);
    return words;
}

static int ComposeOne(Session *session, Question *one)
{
    Tcl_Obj *words = Words(session->state->interp, one->whole, one->index), **objv;
    Tcl_Size objc;
    int result;

    if (words == NULL) return TCL_ERROR;
    Tcl_ListObjGetElements(NULL, words, &objc, &objv);
    result = Compose(session, one, (int)objc, objv);
    Tcl_DecrRefCount(words);
    return result;
}

/* It is one of the session's questions, and all messages are answered. */
static void Over(Session *session, Question *whole)
{
    Unlink(session, whole);
    Reply(session, whole, TCL_OK, whole->many->results, Tcl_NewObj(), NULL);
    QuestionDrop(whole);
}

static void Put(struct Many *many, Tcl_Size index, int code, Tcl_Obj *value)
{
    Tcl_Obj *two[2], *pair;

    two[0] = Tcl_NewIntObj(code);
    two[1] = value;
    pair = Tcl_NewListObj(2, two);
    Tcl_ListObjReplace(NULL, many->results, index, 1, 1, &pair);
}

int ManyNext(Session *session, Question *whole)
{
    struct Many *many = whole->many;
    Tcl_Interp *interp = session->state->interp;
    Question *one;

    if (many->composing) return 0;
    if (many->next == many->count) {
        whole->ticket = ASKED;
        if (many->left == 0) Over(session, whole);
        return 1;
    }
    if (many->open >= WINDOW) return 0;
    one = QuestionNew(whole->verb, NULL, NULL);
    one->session = session;
    one->whole = whole;
    whole->refs++;
    one->index = many->next++;
    many->open++;
    many->composing = 1; /* which may run scripts */
    if (ComposeOne(session, one) != TCL_OK) {
        if (!whole->done) {
            Tcl_Obj *code = ErrorCodeOf(interp);

            Reply(session, one, TCL_ERROR, Tcl_GetObjResult(interp), code, Tcl_NewObj());
            Tcl_DecrRefCount(code);
        }
        QuestionDrop(one);
    } else if (whole->done || session->drive == NULL) {
        QuestionDrop(one);
    } else {
        Enqueue(session, one, whole);
    }
    many->composing = 0;
    return 1;
}

void ManyPut(const Question *one)
{
    if (!one->whole->done) Put(one->whole->many, one->index, one->code, one->value);
}

void ManyTake(Session *session, Question *whole)
{
    if (whole->done) return;
    whole->many->open--;
    if (--whole->many->left == 0) Over(session, whole);
}

void ManyEnd(Session *session, Question *whole, const char *why)
{
    struct Many *many = whole->many;
    Tcl_Size i, length;
    Tcl_Obj *one;

    for (i = 0; i < many->count; i++) {
        Tcl_ListObjIndex(NULL, many->results, i, &one);
        if (Tcl_ListObjLength(NULL, one, &length) == TCL_OK && length == 0) Put(many, i, TCL_ERROR, Tcl_NewStringObj(why, -1));
    }
    Over(session, whole);
}
