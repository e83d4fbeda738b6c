/* What the C tests ask of POSIX, for their builds on Windows. */
#ifndef POSIX_POLL_H
#define POSIX_POLL_H
#include <winsock2.h>
#include <ws2tcpip.h>
#undef TEXT /* the tests have one of their own */

/* The library starts Winsock when it first needs it, and the tests may need it before. */
__attribute__((constructor)) static void start_sockets(void)
{
    WSADATA data;

    WSAStartup(MAKEWORD(2, 2), &data);
}

/* As poll(2): without a valid descriptor it only sleeps. */
static inline int poll(struct pollfd *fds, unsigned long count, int wait)
{
    if (count == 1 && fds->fd == INVALID_SOCKET) {
        Sleep(wait < 0 ? INFINITE : (DWORD)wait);
        return 0;
    }
    return WSAPoll(fds, count, wait);
}
#endif
