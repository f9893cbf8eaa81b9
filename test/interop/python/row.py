"""What a row's function is given: connections to open, the relay's switch, comparisons, and a deadline on everything that is waited for."""
import asyncio
import hashlib

from conn import AsyncioConn, ThreadsConn


class Failed(Exception):
    pass


class Row:
    def __init__(self, flavour, mode, parser, order, tell):
        self.flavour, self.mode, self.parser, self.order, self.tell = flavour, mode, parser, order, tell
        self.deadline = order["deadline"] / 1000
        self.loop = asyncio.get_running_loop()
        self.failed = self.loop.create_future()
        self.conns = []
        self.calls = {}

    def fail(self, why):
        if not self.failed.done():
            self.failed.set_exception(Failed(why))
            self.failed.exception()  # every wait looks at it; nobody has to

    async def guard(self, coroutine):
        """End with the coroutine, or with the row's first failure."""
        task = asyncio.ensure_future(coroutine)
        try:
            await asyncio.wait({task, self.failed}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise self.failed.exception()
        finally:
            task.cancel()

    async def wait(self, what, awaitable):
        """The one way to wait."""
        try:
            return await self.guard(asyncio.wait_for(awaitable, self.deadline))
        except asyncio.TimeoutError:
            raise Failed(f"{what}: nothing within {self.order['deadline']} ms") from None

    async def open(self, *namespaces, wait=True, **options):
        """Connect one client to the namespaces; wait until all of them stand."""
        conn = (ThreadsConn if self.flavour == "threads" else AsyncioConn)(self, namespaces or ("/",), options)
        self.conns.append(conn)
        await conn.connect()
        if wait:
            for namespace in conn.namespaces:
                await conn.next("connect", namespace)
        return conn

    async def exchange(self, conn, body):
        """Run body; in upgrade columns a second time. The transport is checked on both sides in between."""
        await body("at once")
        await self.settled(conn)
        if self.mode == "upgrade":
            await body("upgraded")

    async def settled(self, conn):
        want = "websocket" if self.mode == "upgrade" else self.mode
        self.equal(conn.sio.transport(), want, "the client's transport")
        who = await conn.whoami(conn.namespaces[0])
        self.equal(who["transport"], want, "the server's transport")

    async def cut(self):
        await self.call("cut")

    async def restore(self):
        await self.call("restore")

    async def call(self, name):
        number = len(self.calls) + 1
        self.calls[number] = self.loop.create_future()
        self.tell({"type": "call", "call": number, "name": name})
        await self.wait(f"relay: {name}", self.calls[number])

    def answered(self, number):
        if number in self.calls and not self.calls[number].done():
            self.calls[number].set_result(None)

    def equal(self, got, want, what):
        if strict(got) != strict(want):
            raise Failed(f"{what}: got {show(got)}, want {show(want)}")

    def ok(self, value, what):
        if not value:
            raise Failed(what)

    async def close(self):
        for conn in self.conns:
            await conn.close()


def strict(value):
    """The value with tuples as lists and with types that Python takes for equal kept apart: 1, 1.0 and True."""
    if isinstance(value, (list, tuple)):
        return [strict(v) for v in value]
    if isinstance(value, dict):
        return {k: strict(v) for k, v in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return ("binary", bytes(value))
    return (type(value).__name__, value)


def show(value):
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:600]}… ({len(text)} characters)"


def describe(value):
    """What the server's `inspect` says of a value."""
    if isinstance(value, str):
        return {"type": "string", "units": len(value.encode("utf-16-le")) // 2, "points": [ord(c) for c in value]}
    return {"type": "binary", "length": len(value), "sha256": hashlib.sha256(value).hexdigest()}


def pattern(n):
    """P(n) of the contract."""
    return bytes((7 * i + n) % 256 for i in range(n))
