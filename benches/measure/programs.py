"""Builds the programs, and knows how each of them is called."""

import glob
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCHES = os.path.join(TOP, "benches")
BUILD = os.path.join(TOP, "build", "benches")
TARGET = os.path.join(BUILD, "target")
RELEASE = os.path.join(TARGET, "release")
SINK = os.path.join(RELEASE, "sink")
CERTIFICATE = os.path.join(BUILD, "cert.pem")
KEY = os.path.join(BUILD, "key.pem")
PYTHON = os.path.join(BUILD, "venv", "bin", "python")
POSTFIX = os.path.join(TOP, "build", "servers", "root", "postfix", "usr")
NOT_HERE = 3
IMPORT = "import sys\nif int(sys.argv[2]): __import__(sys.argv[1])"


@dataclass(frozen=True)
class Task:
    """What a client is to do; benches/README.md says what the words mean."""

    mode: str = "single"
    messages: int = 1
    octets: int = 1024
    recipients: int = 1
    connections: int = 1
    kind: str = "plain"
    tls: str = "no"


@dataclass(frozen=True)
class Client:
    name: str
    command: tuple
    # Body and final dot are written apart without TCP_NODELAY: on loopback that costs 40 ms a message.
    nodelay: bool = False
    # An interpreter's instructions say nothing, and take minutes to count.
    interpreted: bool = False
    # Only where a workload has a mode for it.
    special: bool = False
    # What a Python program imports to use it.
    module: str = ""

    def words(self, task, port):
        if task.mode == "import":
            return [PYTHON, "-c", IMPORT, self.module, task.messages] if self.module else None
        if self.name == "smtp-source":
            return smtp_source(task, port)
        return [*self.command, port, task.mode, task.messages, task.octets, task.recipients, task.connections,
                task.kind, task.tls, CERTIFICATE]

    def environment(self, counted=None):
        own = {**os.environ, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{BENCHES}/peers"}
        preload = [library("nodelay")] if self.nodelay else []
        if counted:
            preload.append(library("count"))
            own["BENCH_COUNT"] = counted
        if preload:
            own["LD_PRELOAD"] = " ".join(preload)
        if self.name == "smtp-source":
            own["LD_LIBRARY_PATH"] = f"{POSTFIX}/lib/postfix:{POSTFIX}/lib/{os.uname().machine}-linux-gnu"
        return own


def smtp_source(task, port):
    if task.tls != "no" or task.kind != "plain":
        return None
    words = [f"{POSTFIX}/sbin/smtp-source", "-m", task.messages, "-l", task.octets, "-r", task.recipients,
             "-s", task.connections, "-f", "from@example.test", "-t", "to@example.test"]
    return [*words, *(["-d"] if task.mode != "each" else []), f"127.0.0.1:{port}"]


def library(name):
    return os.path.join(BUILD, f"{name}.so")


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def run(*words, **more):
    subprocess.run([str(word) for word in words], check=True, **more)


def cc(out, source, *libraries):
    run(os.environ.get("CC", "cc"), "-std=c99", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-I", f"{TOP}/include",
        os.path.join(BENCHES, source), "-o", os.path.join(BUILD, out), *libraries)


def build_own():
    """The library, its client and the sink."""
    os.makedirs(BUILD, exist_ok=True)
    run("make", "--silent", "-C", TOP, "lib")
    cargo("sink")
    static = os.path.join(os.environ.get("CARGO_TARGET_DIR", f"{TOP}/target"), "release", "libsmtp.a")
    cc("ours", "ours/client.c", static, "-lssl", "-lcrypto", "-lpthread", "-lm", "-ldl")


def build_rustls():
    """The same client over a library with rustls, which wheels and the archives of a release have."""
    folder = os.path.join(BUILD, "rustls")
    run("make", "--silent", "-C", TOP, "lib", "FEATURES=tls-rustls dkim", f"BUILD={folder}",
        env={**os.environ, "CARGO_TARGET_DIR": folder})
    cc("ours-rustls", "ours/client.c", f"{folder}/release/libsmtp.a", "-lpthread", "-lm", "-ldl")


def build_tools():
    for name in ("nodelay", "count"):
        cc(f"{name}.so", f"tools/{name}.c", "-shared", "-fPIC", "-ldl")


def ours():
    return Client("libsmtp", (f"{BUILD}/ours",))


def cargo(folder):
    run("cargo", "build", "--quiet", "--locked", "--release", cwd=os.path.join(BENCHES, folder),
        env={**os.environ, "CARGO_TARGET_DIR": TARGET})


def build_all():
    """Everything; gives the clients that are available, and says which are not."""
    build_own()
    cc("limit", "limits/client.c")
    build_tools()
    if not os.path.exists(CERTIFICATE):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365",
            "-keyout", KEY, "-out", CERTIFICATE, "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
            stderr=subprocess.DEVNULL)
    clients = [Client("limit", (f"{BUILD}/limit",)), ours(), Client("libsmtp (loop)", ours().command, special=True)]
    if attempt("libsmtp with rustls", build_rustls):
        clients.append(Client("libsmtp (rustls)", (f"{BUILD}/ours-rustls",), special=True))
    if attempt("smtp-source", lambda: run(f"{TOP}/tests/servers/fetch", "postfix")):
        clients.append(Client("smtp-source", ()))
    if attempt("lettre and mail-send", lambda: cargo("peers")):
        clients += [Client(name, (f"{RELEASE}/{name}",), nodelay=True) for name in ("lettre", "mail-send")]
        clients.append(Client("libsmtp (tokio)", (f"{RELEASE}/ours-on-tokio",)))
    if attempt("libcurl", lambda: cc("curl", "peers/curl.c", "-lcurl")):
        clients.append(Client("libcurl", (f"{BUILD}/curl",)))
    if attempt("smtplib and aiosmtplib", python):
        peers = os.path.join(BENCHES, "peers")
        clients += [Client(name, (PYTHON, f"{peers}/with_{name}.py"), interpreted=True, module=name)
                    for name in ("smtplib", "aiosmtplib")]
    tclsh = shutil.which("tclsh8.6")
    if tclsh and attempt("tcllib", lambda: run(tclsh, stdin=subprocess.DEVNULL)):
        clients.append(Client("tcllib", (tclsh, f"{BENCHES}/peers/with_tcllib.tcl"), nodelay=True, interpreted=True))
        if attempt("the Tcl package", lambda: run("make", "--silent", "-C", TOP, "tcl", stdout=subprocess.DEVNULL)):
            clients.append(Client("libsmtp (Tcl)", (tclsh, f"{BENCHES}/ours/with_tcl.tcl"), interpreted=True))
    if attempt("the Python package", package):
        clients += [Client(f"libsmtp ({name})", (PYTHON, f"{BENCHES}/ours/with_{name.lower()}.py"), interpreted=True, module=module)
                    for name, module in (("Python", "smtpclient"), ("asyncio", "smtpclient.aio"))]
    return clients


def package():
    wheels = os.path.join(BUILD, "wheels")
    shutil.rmtree(wheels, ignore_errors=True)
    run(PYTHON, "-m", "maturin", "build", "--quiet", "--release", "--auditwheel", "skip", "--out", wheels,
        "--manifest-path", f"{TOP}/py-binding/Cargo.toml", stdout=subprocess.DEVNULL)
    run(PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-index", "--no-deps",
        "--force-reinstall", *glob.glob(f"{wheels}/*.whl"))


def python():
    if not os.path.exists(PYTHON):
        run(sys.executable, "-m", "venv", os.path.join(BUILD, "venv"))
    run(PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "-r", f"{BENCHES}/requirements.txt")


def attempt(what, make):
    try:
        make()
        return True
    except (OSError, subprocess.CalledProcessError) as fault:
        say(f"left out: {what} ({fault})")
        return False


def versions():
    """What was measured, by name."""
    def first(*words):
        try:
            return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    found = {"smtp-source": "Postfix " + first("sh", "-c", f"strings {POSTFIX}/sbin/postconf {POSTFIX}/lib/postfix/* | grep -m1 -o 'mail_version=[0-9.]*\\|^3\\.[0-9]*\\.[0-9]*$'").replace("mail_version=", "")}
    with open(f"{BENCHES}/peers/Cargo.lock", encoding="utf-8") as lock:
        lines = lock.read().split("\n")
    for name in ("lettre", "mail-send"):
        at = lines.index(f'name = "{name}"')
        found[name] = lines[at + 1].split('"')[1]
    found["libcurl"] = first("curl-config", "--version").replace("libcurl ", "")
    found["smtplib"] = "Python " + sys.version.split()[0]
    found["aiosmtplib"] = first(PYTHON, "-c", "import importlib.metadata as m; print(m.version('aiosmtplib'))")
    found["tcllib"] = first("sh", "-c", "echo 'package require smtp; puts [package provide smtp]' | tclsh8.6")
    return found
