/* Made by `cargo run -p libsmtp --example header`: change ffi-c/src instead. */
/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef LIBSMTP_H
#define LIBSMTP_H

/*
 * libsmtp: an SMTP client that knows what became of every message. Link with -lsmtp, or
 * `pkg-config --cflags --libs libsmtp`.
 *
 *   #include <libsmtp.h>
 *   #include <stdio.h>
 *   #include <string.h>
 *
 *   int main(void)
 *   {
 *       const char *text = "Hello, Bob.\n";
 *       smtp_message *message = smtp_message_new();
 *       smtp_options *options = smtp_options_new();
 *       smtp_result *result;
 *       size_t i;
 *       int status;
 *       smtp_message_set_text(message, text, strlen(text));
 *       smtp_message_set_header(message, "From", "alice@a.example");
 *       smtp_message_set_header(message, "To", "Bob <bob@b.example>");
 *       smtp_message_set_header(message, "Subject", "Greetings");
 *       smtp_options_set(options, "servers", "mail.a.example");
 *       status = smtp_sendmessage(message, options, &result);
 *       if (status != SMTP_OK)
 *           fprintf(stderr, "%s\n", smtp_result_error(result));
 *       for (i = 0; i < smtp_result_refused_count(result); i++)
 *           fprintf(stderr, "%s: %s\n", smtp_result_refused_address(result, i),
 *               smtp_result_refused_reply_text(result, i));
 *       smtp_result_free(result);
 *       smtp_options_free(options);
 *       smtp_message_free(message);
 *       return status != SMTP_OK;
 *   }
 *
 * What holds for every function:
 *
 * Handles. What a function named _new, _copy, _open or _parse gives, or one puts into a `T **out`, is
 * yours: give it back with the _free (or _close) of that type. Free of NULL is fine.
 *
 * Memory. What you hand in is copied, and yours. Strings that are given out (`const char *`) belong to their
 * handle: never free them; they live until the next call that takes the handle without `const`, and with a
 * result or an address list as long as that. They end in NUL and are UTF-8; where there is nothing they are
 * empty, not NULL, unless a comment says so. What you hand in as text is UTF-8, too, except for paths.
 *
 * Codes. An `int` status is 0 (SMTP_OK) where all went well, positive where some did, and negative where
 * nothing did. Its comment says which codes a function may return; these it may return besides: SMTP_ERR_NULL
 * (a pointer that may not be NULL is), SMTP_ERR_USAGE (a text that is not UTF-8), SMTP_ERR_BUSY (the handle is
 * in use) and SMTP_ERR_PANIC (an internal error: free the handle, and please report it). After a failed
 * change nothing has changed, and the error function of the handle has the text. Verbs of a session return the
 * server's reply code. Counts and numbers are 0 for NULL.
 *
 * Threads. A handle is used by one thread at a time, except for a mailer, which any number may use; different handles
 * never interfere. Functions that take a message or options with `const` may run on several threads at once, also
 * on the same ones.
 *
 * Callbacks return; they neither throw nor longjmp. One that uses a handle which is in use by the call that it
 * was called from is told SMTP_ERR_BUSY (strings are then empty, numbers 0); other handles it may use.
 *
 * The library keeps no state but in handles, starts threads only to resolve a name and for a mailer,
 * installs no signal handler, raises no SIGPIPE, and prints nothing unless option `debug` says so.
 *
 * Numbers, names and signatures are never changed or reused; new ones may be added.
 *
 * The options of smtp_options_set(), what each takes, and its default; docs/options.md says what each does:
 *
@OPTIONS@
 */

/** The version of this header; smtp_library_version() has that of the library. */
#define SMTP_VERSION "@VERSION@"
/** The same as a number that grows: major, minor and patch, 8 bits each. */
#define SMTP_VERSION_NUMBER @VERSION_NUMBER@

/** For smtp_session_authenticate(): the mechanisms that the server offers, strongest first. */
#define SMTP_AUTH_DEFAULT NULL
/** For smtp_session_authenticate(): PLAIN only (RFC 4616). */
#define SMTP_AUTH_PLAIN "PLAIN"
/** For smtp_session_authenticate(): LOGIN only. */
#define SMTP_AUTH_LOGIN "LOGIN"

