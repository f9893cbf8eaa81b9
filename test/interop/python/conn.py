"""One client of python-socketio, with a mailbox for each event of each namespace. The two flavours differ only in how they are called."""
import asyncio
import collections
import concurrent.futures
import logging

import socketio

PATIENCE = 30  # seconds the client itself waits for the server


class Beats(logging.Handler):
    """Counts heartbeats by what the client's logger says, which is the only place where it speaks of them."""

    def __init__(self, conn):
        super().__init__()
        self.conn = conn

    def emit(self, record):
        if record.args and record.args[0] == "PING" and record.msg.startswith("Received packet"):
            self.conn.hear("/", "beat", ())


class Conn:
    def __init__(self, row, namespaces, options):
        self.row, self.namespaces, self.options = row, list(namespaces), options
        self.boxes = collections.defaultdict(collections.deque)
        self.wakers = collections.defaultdict(collections.deque)
        self.watchers = {}  # event → function called at once, in order, instead of the mailbox
        self.may_disconnect = options.get("may_disconnect", False)
        self.may_fail = options.get("may_fail", False)
        log = logging.getLogger(f"beats-{id(self)}")
        log.setLevel(logging.INFO)
        log.propagate = False
        log.addHandler(Beats(self))
        self.sio = self.client(
            reconnection=options.get("reconnect", False),
            reconnection_delay=0.05,
            reconnection_delay_max=0.25,
            randomization_factor=0,
            serializer="msgpack" if row.parser == "msgpack" else "default",
            request_timeout=PATIENCE,
            engineio_logger=log,
            handle_sigint=False,
        )
        for namespace in self.namespaces:
            self.listen(namespace)

    def listen(self, namespace):
        on = lambda event: lambda *args: self.hear(namespace, event, args)
        for event in ("connect", "disconnect", "connect_error"):
            self.sio.on(event, on(event), namespace=namespace)
        self.sio.on("*", lambda event, *args: self.hear(namespace, event, args), namespace=namespace)
        self.sio.on("question", self.answerer(namespace), namespace=namespace)

    def hear(self, namespace, event, args):
        """Called in whatever thread the client likes."""
        self.row.loop.call_soon_threadsafe(self.deliver, namespace, event, args)

    def deliver(self, namespace, event, args):
        if event == "disconnect" and not self.may_disconnect:
            self.row.fail("disconnected: the client gives no reason")
        if event == "connect_error" and not self.may_fail:
            self.row.fail(f"refused or failed: {args}")
        if event in self.watchers:
            self.watchers[event](*args)
            return
        key = (namespace, event)
        while self.wakers[key]:
            waker = self.wakers[key].popleft()
            if not waker.done():
                waker.set_result(list(args))
                return
        self.boxes[key].append(list(args))

    async def next(self, event, namespace="/"):
        key = (namespace, event)
        if self.boxes[key]:
            return self.boxes[key].popleft()
        waker = self.row.loop.create_future()
        self.wakers[key].append(waker)
        return await self.row.wait(f"event {event}", waker)

    def box(self, event, namespace="/"):
        """What came and nobody took; taking it."""
        taken = list(self.boxes[(namespace, event)])
        self.boxes[(namespace, event)].clear()
        return taken

    async def ask(self, event, *args, namespace="/"):
        answer = self.row.loop.create_future()

        def acked(*values):
            self.row.loop.call_soon_threadsafe(lambda: answer.done() or answer.set_result(list(values)))

        await self.emit(event, *args, namespace=namespace, callback=acked)
        return await self.row.wait(f"ack of {event}", answer)

    async def whoami(self, namespace="/"):
        return (await self.ask("whoami", namespace=namespace))[0]

    async def question(self, namespace, args):
        """The next question, as a future for its answer: the row sets it, the client sends it."""
        answer = self.row.loop.create_future()
        self.deliver(namespace, "question", (*args, answer))
        return await answer

    def arguments(self):
        order, options = self.row.order, self.options
        url = order[{(0, 0): "url", (0, 1): "relayUrl", (1, 0): "recoveryUrl", (1, 1): "relayRecoveryUrl"}[
            (int(options.get("recovery", False)), int(options.get("relay", False)))
        ]]
        transports = ["polling", "websocket"] if self.row.mode == "upgrade" else [self.row.mode]
        return url, dict(auth=options.get("auth"), transports=transports, namespaces=self.namespaces, wait=False)


class ThreadsConn(Conn):
    client = staticmethod(socketio.Client)

    def __init__(self, row, namespaces, options):
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        super().__init__(row, namespaces, options)

    def answerer(self, namespace):
        return lambda *args: asyncio.run_coroutine_threadsafe(self.question(namespace, args), self.row.loop).result(PATIENCE)

    async def blocking(self, what, call):
        await self.row.wait(what, self.row.loop.run_in_executor(self.pool, call))

    async def connect(self):
        url, arguments = self.arguments()
        await self.blocking("connect", lambda: self.sio.connect(url, **arguments))

    async def emit(self, event, *args, namespace="/", callback=None):
        self.sio.emit(event, args, namespace=namespace, callback=callback)  # only puts it into a queue

    async def disconnect(self):
        # The client's writer ends with its state: one that still waits for the answer to a POST when the client is told to leave never says so.
        await self.blocking("answers to what was sent", self.sio.eio.queue.join)
        await self.blocking("disconnect", self.sio.disconnect)

    async def close(self):
        self.may_disconnect = self.may_fail = True
        self.sio.reconnection = False
        self.pool.submit(self.sio.disconnect)  # may wait for the server's farewell; nobody here does
        self.pool.shutdown(wait=False)


class AsyncioConn(Conn):
    client = staticmethod(socketio.AsyncClient)

    def answerer(self, namespace):
        async def answer(*args):
            return await self.question(namespace, args)

        return answer

    async def connect(self):
        url, arguments = self.arguments()
        await self.row.wait("connect", self.sio.connect(url, **arguments))

    async def emit(self, event, *args, namespace="/", callback=None):
        await self.sio.emit(event, args, namespace=namespace, callback=callback)

    async def disconnect(self):
        await self.row.wait("disconnect", self.sio.disconnect())

    async def close(self):
        self.may_disconnect = self.may_fail = True
        self.sio.reconnection = False
        try:
            await asyncio.wait_for(self.sio.disconnect(), PATIENCE)
        except Exception:
            pass  # the row has its result; a connection that is gone cannot be closed better
