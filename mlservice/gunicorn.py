"""How the web processes serve: read by gunicorn as its configuration, imported by nobody."""

import ctypes
import gc
import os
import select
import shutil
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from threading import Thread
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from deploy.counting_folder import make_folder, parent

wsgi_app = "mlservice.wsgi"
bind = f"{os.environ.get('BIND_HOST', '127.0.0.1')}:{os.environ.get('PORT') or 8000}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = int(os.environ.get("WEB_THREADS") or 32)

# A request may wait a minute for its prediction; on a stop it is answered at once.
timeout = 90
graceful_timeout = 30
# Longer than the proxy keeps an idle connection, so that the proxy is the one who closes it.
keepalive = 75

limit_request_line = 8_190
limit_request_fields = 100
limit_request_field_size = 8_190

# The application logs each request with its id and user; a second line would say less.
accesslog = None
errorlog = "-"
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
control_socket_disable = True
# The heartbeat's file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108


# A client, or a proxy, that has more to ask does so within this time of the answer.
GOES_ON_MILLISECONDS = 2


class Worker(ThreadWorker):  # type: ignore[misc]
    """Stays a moment with whoever has been answered, and on a stop takes all that have connected.

    gunicorn gives each connection back to its event loop after an answer, and on a stop leaves the
    listener open until it has drained: whoever has connected meanwhile is cut off. That nobody
    connects between the last look and the close is seen to before, see `turn_newcomers_away`.
    """

    def handle(self, connection: Any) -> Any:
        """Answer requests of a connection while they follow each other at once.

        Where there are fewer threads than connections, all of them get their turn.
        """
        is_kept = super().handle(connection)
        while is_kept is True and self.alive and self.goes_on(connection):
            is_kept = super().handle(connection)
        return is_kept

    def goes_on(self, connection: Any) -> bool:
        if self.nr_conns > self.cfg.threads:
            return False
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN)
        return bool(poll.poll(GOES_ON_MILLISECONDS))

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self.close_listeners()

    def close_listeners(self) -> None:
        while self.sockets:
            listener = self.sockets.pop()
            self.accept_all(listener)
            listener.close()

    def accept_all(self, listener: Any) -> None:
        """Accept until nobody waits; each that comes raises the number of connections."""
        before = -1
        while before != self.nr_conns:
            before = self.nr_conns
            self.accept(listener)


worker_class = Worker

# Of Linux: <asm-generic/socket.h>. A filter is a program of <linux/filter.h>, an instruction a
# line: code, steps ahead if true, steps ahead if false, operand.
SO_ATTACH_FILTER = 26
# This one reads the byte of flags in the header of TCP, asks whether the packet opens a connection
# (SYN), drops it then, and else takes all of it.
DROP_FIRST_PACKETS = [
    (0x30, 0, 0, 13),
    (0x45, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
]
# By then those who had begun to connect have done so, or are too far away for any wait.
CONNECTED_AFTER_SECONDS = 0.1


def turn_newcomers_away(listeners: list[Any]) -> None:
    """Let nobody begin to connect, so that a close cuts off nobody; elsewhere than on Linux, pass.

    Their systems ask again a second later, and are refused by then, or find the next listener.
    """
    if sys.platform != "linux":
        return
    packed = b"".join(struct.pack("HBBI", *line) for line in DROP_FIRST_PACKETS)
    program = ctypes.create_string_buffer(packed)
    filter_ = struct.pack("HP", len(DROP_FIRST_PACKETS), ctypes.addressof(program))
    # A sandbox may know no filters: no reason not to stop.
    with suppress(OSError):
        for listener in listeners:
            listener.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_)
        time.sleep(CONNECTED_AFTER_SECONDS)


def on_starting(server: Any) -> None:
    """Give the processes that are forked from here one folder to count in, a new one.

    Whether anybody asks them, they know who read the settings; else it stays empty.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = make_folder(parent())


def when_ready(server: Any) -> None:
    """Turn newcomers away before a stop, unless a successor listens on the same sockets."""
    stop = server.stop

    def turn_away_and_stop(graceful: bool = True) -> None:
        is_shared = server.reexec_pid != 0 or server.master_pid != 0 or server.systemd
        if graceful and server.LISTENERS and not is_shared:
            turn_newcomers_away(server.LISTENERS)
        stop(graceful)

    server.stop = turn_away_and_stop


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def post_worker_init(worker: Any) -> None:
    """Answer those who wait as soon as the process is told to stop and gunicorn stops it."""
    stop = signal.getsignal(signal.SIGTERM)

    def stop_and_drain(number: int, frame: FrameType | None) -> None:
        if callable(stop):
            stop(number, frame)
        # A thread, for the lock may be held by the very code that this signal interrupted.
        Thread(target=_drain, name="drain").start()

    signal.signal(signal.SIGTERM, stop_and_drain)
    # As gunicorn has it: system calls go on after the signal.
    signal.siginterrupt(signal.SIGTERM, False)  # noqa: FBT003
    # What is loaded by now stays: no collection need walk it again.
    gc.collect()
    gc.freeze()


def _drain() -> None:
    from predictions.waiting import waiters

    waiters.drain()
