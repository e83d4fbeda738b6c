/* adopt PORT RECIPIENT: a session over a socket that the program connected itself. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <libsmtp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connected(unsigned short port)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    const char *text = "Hello over a socket of my own.\n";
    smtp_session *session = NULL;
    smtp_result *result = NULL;
    int fd, status;

    if (argc != 3) {
        fprintf(stderr, "use: %s PORT RECIPIENT\n", argv[0]);
        return 2;
    }
    fd = connected((unsigned short)atoi(argv[1]));
    if (fd < 0) {
        perror("connect");
        return 1;
    }
    /* From here on the socket belongs to the session, also where this fails. */
    status = smtp_session_adopt(fd, "localhost", NULL, &session);
    if (status == SMTP_OK) {
        status = smtp_session_send(session, "me@example.org", argv[2], NULL, NULL, "Adopted", text,
                                   strlen(text), &result);
        printf("%s, queue id %s\n", smtp_code_text(status), smtp_result_queue_id(result));
    }
    if (status != SMTP_OK) fprintf(stderr, "%s\n", smtp_session_error(session));
    smtp_result_free(result);
    smtp_session_close(session);
    return status != SMTP_OK;
}
