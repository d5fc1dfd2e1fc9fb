"""The only place that speaks the server's side of SMTP, on a loopback port of its own."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread


class Server(socketserver.ThreadingTCPServer):
    """It takes every letter but those to nobody; it counts the conversations."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.port = self.server_address[1]
        self.taken: list[str] = []
        self.conversations = 0


class Conversation(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.conversations += 1
        self.say("220 ready")
        while line := self.rfile.readline().decode().strip():
            match line.upper().split(" ")[0]:
                case "DATA":
                    self.say("354 go on")
                    self.server.taken.append(self.read_letter())
                    self.say("250 taken")
                case "RCPT" if "nobody" in line:
                    self.say("550 no such mailbox")
                case "QUIT":
                    return self.say("221 bye")
                case _:
                    self.say("250 ok")
        return None

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def read_letter(self) -> str:
        lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
        return "".join(lines)


@contextmanager
def mail_server() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
