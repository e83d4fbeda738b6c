"""A server for mail whose login by one mechanism is judged by another library's acceptor.

    python sasl_server.py NTLM|GSSAPI FOLDER    prints its port, and ends with its standard input; what it needs is in the folder
"""

import base64
import contextlib
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from functools import partial


class SaslServer(socketserver.ThreadingTCPServer):
    """`accepting()` gives what has `step(octets)` and `complete`; an exception refuses the login. `tls`: implicit TLS."""

    daemon_threads = True

    def __init__(self, mechanism, accepting, tls=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls, self.said, self.bindings = tls, [], []
        self.mechanism, self.accepting, self.messages, self.refusals = mechanism, accepting, 0, []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def get_request(self):
        connection, peer = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
            self.bindings.append(connection.get_channel_binding("tls-unique"))
        return connection, peer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def login(self, words):
        acceptor = self.server.accepting()
        said = words[2] if len(words) > 2 else self.asked("")
        try:
            while True:
                answer = acceptor.step(base64.b64decode(said) if said != "=" else b"")
                if acceptor.complete and not answer:
                    return self.say("235 2.7.0 Accepted")
                said = self.asked(base64.b64encode(answer or b"").decode())
                if acceptor.complete:
                    return self.say("235 2.7.0 Accepted")
        except Exception as error:
            self.server.refusals.append(repr(error))
            return self.say("535 5.7.8 Not you")

    def asked(self, challenge):
        self.say("334 " + challenge)
        return self.rfile.readline().decode().strip()

    def handle(self):
        self.say("220 s.example")
        while line := self.rfile.readline().decode().strip():
            words = line.split()
            self.server.said.append(line)
            verb = words[0].upper()
            if verb == "EHLO":
                self.say(f"250-s.example\r\n250 AUTH {self.server.mechanism}")
            elif verb == "AUTH":
                self.login(words)
            elif verb == "DATA":
                self.say("354 go on")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.server.messages += 1
                self.say("250 2.0.0 Ok")
            elif verb == "QUIT":
                return self.say("221 bye")
            else:
                self.say("250 Ok")


def ntlm(folder, user="ann", password="secret"):
    """NTLM, judged by pyspnego."""
    import spnego

    users = os.path.join(folder, "ntlm-users")
    with open(users, "w") as file:
        # Without a domain, and with that of the challenge, which some clients take.
        file.write(f":{user}:{password}\n{socket.gethostname().upper()}:{user}:{password}\n")
    os.environ["NTLM_USER_FILE"] = users
    return SaslServer("NTLM", lambda: spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm))


class KerberosAcceptor:
    """RFC 4752, without security layers; the key is in the keytab of krb5.conf."""

    def __init__(self):
        import gssapi

        self.context, self.complete, self.offered = gssapi.SecurityContext(usage="accept"), False, False

    def step(self, said):
        if not self.context.complete:
            answer = self.context.step(said)
            if answer or not self.context.complete:
                return answer
        if not self.offered:
            self.offered = True
            return self.context.wrap(b"\x01\0\0\0", False).message
        chosen = self.context.unwrap(said).message
        if chosen[:4] != b"\x01\0\0\0" or chosen[4:] not in (b"", b"ann") or str(self.context.initiator_name) != "ann@SITE.TEST":
            raise ValueError(f"{chosen!r} of {self.context.initiator_name}")
        self.complete = True
        return None


def _free_port():
    """One that is free for TCP and for UDP."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            port = stream.getsockname()[1]
            with contextlib.suppress(OSError):
                datagrams.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("no port is free")


@contextlib.contextmanager
def kerberos(folder):
    """A realm of its own, in which `ann` has a ticket and localhost a key. Gives the server; RuntimeError where a program is missing."""
    for program in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit"):
        if shutil.which(program) is None:
            raise RuntimeError(f"no {program}: install krb5-kdc, krb5-admin-server and krb5-user")
    port = _free_port()
    folder = os.path.abspath(folder)
    with open(f"{folder}/krb5.conf", "w") as file:
        file.write(
            f"[libdefaults]\ndefault_realm = SITE.TEST\ndns_lookup_kdc = false\ndns_lookup_realm = false\n"
            f"dns_canonicalize_hostname = false\nrdns = false\ndefault_ccache_name = FILE:{folder}/ccache\n"
            f"default_keytab_name = FILE:{folder}/smtp.keytab\n[realms]\nSITE.TEST = {{\nkdc = 127.0.0.1:{port}\n}}\n"
            f"[domain_realm]\nlocalhost = SITE.TEST\n"
        )
    with open(f"{folder}/kdc.conf", "w") as file:
        file.write(
            f"[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n[realms]\nSITE.TEST = {{\n"
            f"database_name = {folder}/principal\nkey_stash_file = {folder}/stash\nacl_file = {folder}/acl\n}}\n"
            f"[logging]\nkdc = FILE:{folder}/kdc.log\n"
        )
    os.environ |= {"KRB5_CONFIG": f"{folder}/krb5.conf", "KRB5_KDC_PROFILE": f"{folder}/kdc.conf"}
    run = partial(subprocess.run, check=True, capture_output=True, text=True, timeout=60)
    run(["kdb5_util", "create", "-s", "-P", "master", "-r", "SITE.TEST"])
    for query in ("addprinc -pw secret ann", "addprinc -randkey smtp/localhost", f"ktadd -k {folder}/smtp.keytab smtp/localhost"):
        run(["kadmin.local", "-q", query])
    kdc = subprocess.Popen(["krb5kdc", "-n"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):  # until it listens
            if kdc.poll() is not None:
                raise RuntimeError(f"krb5kdc ended with {kdc.returncode}")
            if subprocess.run(["kinit", "ann"], input="secret\n", capture_output=True, text=True, timeout=60).returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise RuntimeError("krb5kdc gives no ticket")
        with SaslServer("GSSAPI", KerberosAcceptor) as server:
            yield server
    finally:
        kdc.terminate()
        kdc.wait(10)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    with {"NTLM": ntlm, "GSSAPI": kerberos}[sys.argv[1]](sys.argv[2]) as running:
        print(running.port, flush=True)
        sys.stdin.read()
        print(running.messages, *running.refusals, flush=True)
