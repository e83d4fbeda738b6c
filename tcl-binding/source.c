/* A message out of a Tcl channel, in bounded pieces. */
#include "smtp_tcl.h"
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY (4 * 1024 * 1024) /* octets of a message that may be in memory whole */
#define HEADER_MS 30000 /* for a header section that does not come */

struct Source {
    Tcl_Interp *interp;
    Tcl_Channel channel;
    Tcl_Obj *name;
    Tcl_WideInt start;
    int own;  /* close it at the end */
    int gone; /* somebody closed it */
    int refs; /* the caller's, and the message's */
    Drive *drive;
    char blocking[8], translation[64], encoding[64];
};

static void Closed(void *data)
{
    Source *source = data;

    source->gone = 1;
    source->drive = NULL;
}

static void Keep(Source *source, const char *option, char *into, size_t size)
{
    Tcl_DString value;

    Tcl_DStringInit(&value);
    into[0] = '\0';
    if (Tcl_GetChannelOption(source->interp, source->channel, option, &value) == TCL_OK
        && (size_t)Tcl_DStringLength(&value) < size) {
        strcpy(into, Tcl_DStringValue(&value));
    }
    Tcl_DStringFree(&value);
}

Source *SourceNew(Tcl_Interp *interp, Tcl_Obj *name, int own)
{
    int mode = 0;
    Tcl_Channel channel = Tcl_GetChannel(interp, Tcl_GetString(name), &mode);
    Source *source;

    if (channel == NULL) return NULL;
    if (!(mode & TCL_READABLE)) {
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("channel \"%s\" wasn't opened for reading", Tcl_GetString(name)));
        return NULL;
    }
    source = calloc(1, sizeof *source);
    if (source == NULL) Tcl_Panic("smtp: no memory");
    source->interp = interp;
    source->channel = channel;
    source->own = own;
    source->refs = 1;
    source->name = name;
    Tcl_IncrRefCount(name);
    Keep(source, "-blocking", source->blocking, sizeof source->blocking);
    Keep(source, "-translation", source->translation, sizeof source->translation);
    Keep(source, "-encoding", source->encoding, sizeof source->encoding);
    Tcl_CreateCloseHandler(channel, Closed, source);
    source->start = Tcl_Tell(channel); /* -1: it cannot go back */
    Tcl_SetChannelOption(interp, channel, "-translation", "binary");
    Tcl_SetChannelOption(interp, channel, "-blocking", "0");
    return source;
}

/* Until the send has begun there is no loop to come back to: it waits for the header section. */
static int WaitForMore(Source *source)
{
    void *handle;
    struct pollfd ready;

    if (Tcl_GetChannelHandle(source->channel, TCL_READABLE, &handle) != TCL_OK) return 0;
    ready.fd = (int)(intptr_t)handle;
    ready.events = POLLIN;
    return poll(&ready, 1, HEADER_MS) > 0;
}

static int64_t ReadSource(void *data, void *buffer, size_t size)
{
    Source *source = data;

    while (!source->gone) {
        Tcl_Size n = Tcl_Read(source->channel, buffer, size > 65536 ? 65536 : (Tcl_Size)size);

        if (n > 0) return (int64_t)n;
        if (n < 0) return -1;
        if (Tcl_Eof(source->channel)) return 0;
        if (source->drive != NULL) return SMTP_READ_AGAIN;
        if (!WaitForMore(source)) return -1;
    }
    return -1;
}

static int Rewind(void *data)
{
    Source *source = data;

    if (source->gone) return -1;
    return Tcl_Seek(source->channel, source->start, SEEK_SET) == source->start ? 0 : -1;
}

static void Readable(void *data, int mask)
{
    Source *source = data;

    (void)mask;
    if (source->drive != NULL && smtp_engine_waits_for_reader(source->drive->engine) == 1) DriveStep(source->drive);
}

/* Gives the channel back as it was, or closes it. */
static void Restore(Source *source)
{
    if (source->gone) return;
    Tcl_DeleteChannelHandler(source->channel, Readable, source);
    Tcl_DeleteCloseHandler(source->channel, Closed, source);
    source->gone = 1;
    if (source->own) {
        Tcl_UnregisterChannel(source->interp, source->channel);
        return;
    }
    if (source->blocking[0]) Tcl_SetChannelOption(source->interp, source->channel, "-blocking", source->blocking);
    if (source->encoding[0]) Tcl_SetChannelOption(source->interp, source->channel, "-encoding", source->encoding);
    if (source->translation[0]) {
        Tcl_SetChannelOption(source->interp, source->channel, "-translation", source->translation);
    }
}

static void Drop(void *data)
{
    Source *source = data;

    if (--source->refs > 0) return;
    Restore(source);
    Tcl_DecrRefCount(source->name);
    free(source);
}

int SourceWhole(Source *source, smtp_message *message)
{
    Tcl_WideInt size = source->start < 0 ? -1 : Tcl_Seek(source->channel, 0, SEEK_END) - source->start;
    Tcl_Obj *octets;

    if (size < 0 || Rewind(source) != 0) return 0;
    if (size > MEMORY) return 0;
    octets = Tcl_NewByteArrayObj(NULL, 0);
    Tcl_IncrRefCount(octets);
    if (Tcl_ReadChars(source->channel, octets, -1, 0) == size) {
        Tcl_Size length;
        const unsigned char *data = Tcl_GetByteArrayFromObj(octets, &length);

        smtp_message_set_message(message, data, (size_t)length);
    } else {
        size = -1;
        Rewind(source);
    }
    Tcl_DecrRefCount(octets);
    return size >= 0;
}

int SourceMessage(Source *source, smtp_message *message)
{
    source->refs++;
    return smtp_message_set_message_reader(message, ReadSource, source->start >= 0 ? Rewind : NULL, source, Drop, -1);
}

void SourceFeeds(Source *source, Drive *drive)
{
    drive->source = source;
    source->drive = drive;
    /* What a file has is there; a handler would be called all the time. */
    if (!source->gone && source->start < 0) Tcl_CreateChannelHandler(source->channel, TCL_READABLE, Readable, source);
}

void SourceClose(Source *source)
{
    Restore(source);
    source->drive = NULL;
    Drop(source);
}

void SourceLeave(Source *source)
{
    Drop(source);
}
