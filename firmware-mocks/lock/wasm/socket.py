# `socket` for the wasm build, which has none: blocking calls that the host carries out (host.mjs).
import binascii

import _host

AF_INET, SOCK_STREAM = 2, 1
FOR_EVER_MS = 3600000


def getaddrinfo(host, port, *more):
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


class socket:
    def __init__(self, *more):
        self.id, self.ms = 0, FOR_EVER_MS

    def connect(self, address):
        self.id = _host.open(address[0], address[1])
        if self.id < 0:
            raise OSError(-self.id)

    def settimeout(self, s):
        self.ms = FOR_EVER_MS if s is None else max(1, int(s * 1000))

    def send(self, data):
        n = _host.send(self.id, binascii.hexlify(data).decode())
        if n < 0:
            raise OSError(-n)
        return n

    def recv(self, n):
        k = _host.recv(self.id, n, self.ms)
        if k < 0:
            raise OSError(-k)
        return binascii.unhexlify(_host.got()) if k else b""

    def close(self):
        if self.id > 0:
            _host.close(self.id)
            self.id = 0
