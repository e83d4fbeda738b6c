/* verbs SERVER FROM TO...: HELO, MAIL FROM, RCPT TO and DATA said one by one. */
#include <libsmtp.h>
#include <stdio.h>
#include <string.h>

static const char content[] =
    "From: sender@example.org\r\n"
    "Subject: Said by hand\r\n"
    "\r\n"
    ".A leading dot is doubled on the wire, and comes back single.\r\n";

/* A verb answers with the server's reply code, or with a negative status where there is none. */
static int said(smtp_session *session, const char *verb, int code)
{
    if (code < 0) printf("%s: %s: %s\n", verb, smtp_code_text(code), smtp_session_error(session));
    else printf("%s: %d %s\n", verb, code, smtp_session_reply(session));
    return code >= 200 && code < 300;
}

int main(int argc, char **argv)
{
    smtp_session *session = NULL;
    int taken = 0, ok, i;

    if (argc < 4) {
        fprintf(stderr, "use: %s SERVER FROM TO...\n", argv[0]);
        return 2;
    }
    ok = smtp_session_open(argv[1], 0, NULL, &session) == SMTP_OK;
    if (!ok) {
        fprintf(stderr, "%s\n", smtp_session_error(session));
    } else {
        printf("greeting: %s\n", smtp_session_greeting(session));
        ok = said(session, "HELO", smtp_session_helo(session, "localhost"));
        ok = ok && said(session, "MAIL FROM", smtp_session_mail(session, argv[2], NULL));
        for (i = 3; ok && i < argc; i++)
            taken += said(session, "RCPT TO", smtp_session_rcpt(session, argv[i], NULL));
        ok = ok && taken > 0;
        ok = ok && said(session, "DATA", smtp_session_data(session, content, strlen(content)));
        said(session, "QUIT", smtp_session_quit(session));
    }
    smtp_session_free(session);
    return !ok;
}
