/* An engine and the event loop, which only watches: the library has the connection.
 *
 * While the engine is in use (busy) no handler of the drive exists, so that a callback that enters the event loop
 * cannot come back here. Whoever wants a step then gets it afterwards: the engine's time is 0 until it had one. */
#include "smtp_tcl.h"
#include <limits.h>
#include <stdlib.h>

#define ROUNDS 2 /* that one step may take, before others get their turn */

static void Rest(Drive *drive)
{
    if (drive->fd >= 0) Unwatch(drive->fd);
    drive->fd = -1;
    if (drive->timer != NULL) Tcl_DeleteTimerHandler(drive->timer);
    drive->timer = NULL;
}

static void Ready(void *data, int mask)
{
    (void)mask;
    DriveStep(data);
}

static void TimedOut(void *data)
{
    Drive *drive = data;

    drive->timer = NULL;
    DriveStep(drive);
}

void DriveAbort(Drive *drive)
{
    smtp_engine_abort(drive->engine, "cancelled by smtp::cancel");
    DriveLater(drive);
}

void DriveLater(Drive *drive)
{
    if (drive->over) return;
    if (drive->busy) {
        drive->again = 1;
        return;
    }
    if (drive->timer != NULL) Tcl_DeleteTimerHandler(drive->timer);
    drive->timer = Tcl_CreateTimerHandler(0, TimedOut, drive);
}

/* How long to wait, in ms; -1: for ever. */
static int64_t Left(Drive *drive)
{
    return drive->again ? 0 : smtp_engine_timeout(drive->engine);
}

static void Await(Drive *drive)
{
    int interest = smtp_engine_interest(drive->engine);
    int mask = (interest & SMTP_READ ? TCL_READABLE : 0) | (interest & SMTP_WRITE ? TCL_WRITABLE : 0);
    int64_t wait = Left(drive);

    Rest(drive);
    drive->fd = smtp_engine_fd(drive->engine);
    if (drive->fd >= 0) Watch(drive->fd, mask, Ready, drive);
    if (wait >= 0) drive->timer = Tcl_CreateTimerHandler(wait < INT_MAX ? (int)wait : INT_MAX, TimedOut, drive);
}

void DriveStep(Drive *drive)
{
    int rounds = 0;

    if (drive->engine == NULL) return;
    if (drive->busy) {
        drive->again = 1;
        return;
    }
    DriveHold(drive);
    do {
        Rest(drive);
        drive->again = 0;
        drive->busy++;
        smtp_engine_ready(drive->engine, 0);
        drive->busy--;
        if (!drive->over) drive->progress(drive);
    } while (!drive->over && !drive->busy && Left(drive) == 0 && ++rounds < ROUNDS);
    if (!drive->over && !drive->busy) Await(drive);
    DriveRelease(drive);
}

Drive *DriveNew(State *state, void *owner, void (*progress)(Drive *), void (*gone)(Drive *))
{
    Drive *drive = calloc(1, sizeof *drive);

    if (drive == NULL) Tcl_Panic("smtp: no memory");
    drive->state = state;
    drive->fd = -1;
    drive->refs = 1;
    drive->owner = owner;
    drive->progress = progress;
    drive->gone = gone;
    drive->next = state->drives;
    drive->link = &state->drives;
    if (drive->next != NULL) drive->next->link = &drive->next;
    state->drives = drive;
    return drive;
}

void DriveBegin(Drive *drive, smtp_engine *engine)
{
    drive->engine = engine;
}

void DriveClose(Drive *drive)
{
    if (drive->over) return;
    drive->over = 1;
    Rest(drive);
    *drive->link = drive->next;
    if (drive->next != NULL) drive->next->link = drive->link;
    smtp_engine_free(drive->engine);
    drive->engine = NULL;
    DriveRelease(drive);
}

void DriveHold(Drive *drive)
{
    drive->refs++;
}

void DriveRelease(Drive *drive)
{
    if (--drive->refs == 0) free(drive);
}
