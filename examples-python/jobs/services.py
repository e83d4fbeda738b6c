"""RabbitMQ and Redis of Debian's packages, with folders, configuration and ports of their own, on loopback only."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    last = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > last:
            raise TimeoutError(f"{what}: not in {seconds} s")
        time.sleep(0.05)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Service:
    """A server process in a folder, which is started, stopped and started again."""

    process: subprocess.Popen[bytes] | None = None

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True)

    def command(self) -> tuple[list[str], dict[str, str]]:
        raise NotImplementedError

    def start(self) -> None:
        command, environment = self.command()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        wait_until(self.is_up, 180, type(self).__name__)

    def is_up(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"{type(self).__name__} ended: see {self.folder / 'log'}")
        return answers(self.port)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def end(self) -> None:
        self.stop()


class Redis(Service):
    """Redis, which keeps on the disk what it has confirmed."""

    @staticmethod
    def is_installed() -> bool:
        return shutil.which("redis-server") is not None

    def command(self) -> tuple[list[str], dict[str, str]]:
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        return ["redis-server", *place, "--appendonly", "yes", "--appendfsync", "always", "--save", ""], {}

    def url(self, number: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{number}"


class RabbitMQ(Service):
    """RabbitMQ, and the name server of its Erlang node."""

    @staticmethod
    def is_installed() -> bool:
        return RABBIT.exists()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._names, self._nodes = free_port(), free_port()
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{self.port}\n")
        (folder / "plugins").write_text("[].\n")
        # The node waits for a name server that is there, instead of leaving one of its own behind.
        self._epmd = subprocess.Popen(
            ["epmd", "-port", str(self._names), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: answers(self._names), 10, "epmd")

    def command(self) -> tuple[list[str], dict[str, str]]:
        here = str(self.folder)
        return [str(RABBIT)], {
            "HOME": here,
            "RABBITMQ_NODENAME": f"jobs{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": f"{here}/data",
            "RABBITMQ_LOG_BASE": f"{here}/logs",
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/plugins",
            "RABBITMQ_DIST_PORT": str(self._nodes),
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_MAX_PORTS": "4096",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def end(self) -> None:
        super().end()
        self._epmd.terminate()
        self._epmd.wait(10)
