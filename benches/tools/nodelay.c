/* Preloaded: sets TCP_NODELAY on every connection, for clients that write body and final dot apart without it. */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    static int (*next)(int, const struct sockaddr *, socklen_t);
    int on = 1, kept = errno;

    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "connect");
    if (to->sa_family == AF_INET || to->sa_family == AF_INET6) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    errno = kept;
    return next(fd, to, length);
}
