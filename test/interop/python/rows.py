"""The rows of the matrix, as client/rows-*.cjs has them, in what python-socketio offers. ../README.md says what each asserts."""
import asyncio
import os
import re

from row import describe, pattern

GREETING = ["Ünïcødé ÿ §¶", "Привет 漢字 € ‰ \u2028", "😀🚀 𝒳 🇫🇷", 'aé€😀"\\\n\u0000']
SPOKEN = ["naïve café ÿ", "Ωμέγα Ж € 語", "🂡 𐍈 👩‍👩‍👧", "é€😀 <&> \u2029", "Ã© â‚¬ Â", "plain"]
OFFSET = re.compile(r"[0-9a-z]+\.[A-Za-z0-9_-]{4}(\+[0-9a-z]+)?")


async def text(row):
    conn = await row.open()

    async def body(when):
        row.equal(await conn.ask("greet"), GREETING, f"{when}: ack of greet")
        row.equal(await conn.next("greeting"), GREETING, f"{when}: greeting")
        row.equal(await conn.ask("inspect", *SPOKEN), [[describe(s) for s in SPOKEN]], f"{when}: inspect")
        nested = {"clé": SPOKEN, "deep": [[{"キー": None, "n": -0.5, "big": 2**53 - 1, "yes": True, "none": {}}], ""], "€": ""}
        row.equal(await conn.ask("echo", nested, *SPOKEN), [nested, *SPOKEN], f"{when}: ack of echo")
        row.equal(await conn.next("echoed"), [nested, *SPOKEN], f"{when}: echoed")
        for s in [*SPOKEN, "Ã©"]:
            row.equal(await conn.ask("inspect", s), [[describe(s)]], f"{when}: inspect alone")
        await conn.ask("direct", "événement 😀", "é")
        row.equal(await conn.next("événement 😀"), ["é"], f"{when}: event with a name beyond ASCII")

    await row.exchange(conn, body)


async def ack(row):
    conn = await row.open()

    async def body(when):
        want = [[i, f"ack é€😀 {i}"] for i in range(20)]
        row.equal(await asyncio.gather(*(conn.ask("echo", *args) for args in want)), want, f"{when}: answers of echo")
        row.equal([await conn.next("echoed") for _ in want], want, f"{when}: echoed")
        row.equal(await conn.ask("echo"), [], f"{when}: empty answer")
        row.equal(await conn.next("echoed"), [], f"{when}: empty echo")

        for i in range(8):
            await conn.emit("ask", i, "qué €😀")
        # An event without ack id comes from the server as a plain one, so there is nobody to answer.
        questions = [await conn.next("question") for _ in range(8)]
        row.equal(sorted(q[:-1] for q in questions), [[i, "qué €😀"] for i in range(8)], f"{when}: questions")
        answers = [None, "one é€😀"] + [(i, {"i": i}, [f"é€😀 {i}"]) for i in range(2, 8)]
        for question in reversed(questions):
            question[-1].set_result(answers[question[0]])
        told = [await conn.next("answered") for _ in range(8)]
        want = [[], ["one é€😀"]] + [[i, {"i": i}, [f"é€😀 {i}"]] for i in range(2, 8)]
        row.equal(sorted(told, key=repr), sorted(want, key=repr), f"{when}: answered")

    await row.exchange(conn, body)


async def binary(row):
    conn = await row.open()

    async def body(when):
        for n in (0, 1, 125, 126, 70_000, 200_000):
            whole, inner = await conn.ask("bytes", n)
            row.equal(describe(whole), describe(pattern(n)), f"{when}: ack of bytes {n}")
            row.equal(inner, {"inner": pattern(5)}, f"{when}: nested ack of bytes {n}")
            sent, around = await conn.next("bytes")
            row.equal(describe(sent), describe(pattern(n)), f"{when}: bytes {n}")
            row.equal(around, {"n": n, "inner": [pattern(3), None], "note": "é€😀"}, f"{when}: nested bytes {n}")
            said = [pattern(n), "é€😀", pattern(2)]
            row.equal(await conn.ask("inspect", *said), [[describe(v) for v in said]], f"{when}: inspect {n}")
        nested = {"a": [pattern(4), {"b": pattern(9), "é": "€😀"}], "c": pattern(1)}
        row.equal(await conn.ask("echo", pattern(6), nested), [pattern(6), nested], f"{when}: ack of echo")
        row.equal(await conn.next("echoed"), [pattern(6), nested], f"{when}: echoed")

        await conn.emit("ask", pattern(7), "binary?")
        question, _, answer = await conn.next("question")
        row.equal(question, pattern(7), f"{when}: question")
        answer.set_result((pattern(8), {"deep": [pattern(10)]}))
        row.equal(await conn.next("answered"), [pattern(8), {"deep": [pattern(10)]}], f"{when}: answered")

    await row.exchange(conn, body)


async def namespace(row):
    token, room = "tök€n 😀&=1", "r " + os.urandom(8).hex()
    conn = await row.open("/chat", "/", auth={"token": token})

    async def body(when):
        who, root = await conn.whoami("/chat"), await conn.whoami()
        row.equal([who["nsp"], who["eio"]], ["/chat", 4], f"{when}: whoami")
        row.equal(who["auth"], {"token": token}, f"{when}: auth")
        row.equal([who["id"], root["id"]], [conn.sio.get_sid("/chat"), conn.sio.get_sid("/")], f"{when}: ids")
        row.ok(len({who["id"], root["id"], conn.sio.eio.sid}) == 3, f"{when}: ids of namespaces and engine must differ")
        answers = await asyncio.gather(conn.ask("echo", "in chat é", namespace="/chat"), conn.ask("echo", "in root é"))
        row.equal(answers, [["in chat é"], ["in root é"]], f"{when}: answers")
        boxes = [conn.box("echoed", "/chat"), conn.box("echoed")]
        row.equal(boxes, [[["in chat é"]], [["in root é"]]], f"{when}: events of each namespace")
        await conn.ask("join", room, namespace="/chat")
        await conn.ask("broadcast", room, "news", pattern(3), "é€😀", namespace="/chat")
        row.equal(await conn.next("news", "/chat"), [pattern(3), "é€😀"], f"{when}: binary event in a namespace")
        await conn.ask("echo", "after")
        row.equal([conn.box("news"), conn.box("echoed")], [[], [["after"]]], f"{when}: nothing else for the root")

    await row.exchange(conn, body)


async def refuse(row):
    # The client asks for namespaces only when it connects, so a second round takes a second connection.
    message, data = "not today: é€😀", {"code": 7, "text": "é€😀", "list": [1, None, True]}
    conn = await row.open("/", "/refuse", "/refuse-plain", wait=False, may_fail=True)
    await conn.next("connect")
    row.equal(await conn.next("connect_error", "/refuse"), [{"message": message, "data": data}], "refusal of /refuse")
    row.equal(await conn.next("connect_error", "/refuse-plain"), [{"message": message}], "refusal of /refuse-plain")

    async def body(when):
        row.equal(await conn.ask("echo", "still here"), ["still here"], f"{when}: the root after a refusal")

    await row.exchange(conn, body)


async def unknown(row):
    conn = await row.open("/", "/nobody", wait=False, may_fail=True)
    await conn.next("connect")
    row.equal(await conn.next("connect_error", "/nobody"), [{"message": "Invalid namespace"}], "refusal")

    async def body(when):
        row.equal(await conn.ask("echo", "still here"), ["still here"], f"{when}: the root after it")

    await row.exchange(conn, body)


async def watched(row, *namespaces, **options):
    """A client and another one that hears from the server when the first of its namespaces is gone."""
    conn = await row.open(*namespaces, **options)
    await row.settled(conn)
    namespace = conn.namespaces[0]
    watcher = await row.open(namespace)
    conn_id = (await conn.whoami(namespace))["id"]
    await watcher.ask("watch", conn_id, namespace=namespace)
    return conn, watcher, conn_id


async def leave(row):
    conn, watcher, conn_id = await watched(row, may_disconnect=True)
    await conn.disconnect()
    [gone] = await watcher.next("gone")
    row.equal(gone["id"], conn_id, "who is gone")
    # Except when it polls from threads, the client closes the link without waiting for its DISCONNECT to leave: the server may see either first.
    sent = row.mode == "polling" and row.flavour == "threads"
    allowed = ["client namespace disconnect"] + ([] if sent else ["transport close", "transport error"])
    row.ok(gone["reason"] in allowed, f"the server's reason is {gone['reason']}")


async def kick(row):
    conn, watcher, conn_id = await watched(row, "/chat", "/", reconnect=True)
    root = (await conn.whoami())["id"]
    conn.may_disconnect = True
    await conn.emit("kick", namespace="/chat")
    await conn.next("disconnect", "/chat")
    conn.may_disconnect = False
    row.equal(await watcher.next("gone", "/chat"), [{"id": conn_id, "reason": "server namespace disconnect"}], "the server's reason")
    row.equal(await conn.ask("echo", "still here"), ["still here"], "the root after /chat was kicked")
    row.equal((await conn.whoami())["id"], root, "the root's id after the kick")  # another one: the whole link was lost
    row.equal([conn.box("disconnect"), conn.box("connect", "/chat")], [[], []], "events after the kick")

    conn, watcher, conn_id = await watched(row, "/", "/chat", reconnect=True)
    conn.may_disconnect = True
    await conn.emit("kick-connection")
    await conn.next("disconnect")
    await conn.next("disconnect", "/chat")
    want = [{"id": conn_id, "reason": "server namespace disconnect"}]
    row.equal(await watcher.next("gone"), want, "the server's reason for the connection")
    row.equal(conn.box("connect"), [], "the client reconnected by itself")


async def reconnect(row):
    conn, watcher, conn_id = await watched(row, relay=True, reconnect=True)
    await conn.ask("join", "away")
    conn.may_disconnect = conn.may_fail = True
    await row.cut()
    await conn.next("disconnect")
    [gone] = await watcher.next("gone")
    row.equal(gone["id"], conn_id, "who is gone")
    row.ok(gone["reason"] in ("transport close", "transport error", "ping timeout"), f"the server's reason is {gone['reason']}")
    await row.restore()
    await conn.next("connect")
    conn.may_disconnect = conn.may_fail = False

    async def body(when):
        who = await conn.whoami()
        row.ok(who["id"] != conn_id and not who["recovered"], f"{when}: the new session is {who}")
        row.equal(await conn.ask("rooms"), [[who["id"]]], f"{when}: rooms")
        row.equal(await conn.ask("echo", "after é€😀", bytes([1, 2, 255])), ["after é€😀", bytes([1, 2, 255])], f"{when}: ack of echo")
        row.equal(await conn.next("echoed"), ["after é€😀", bytes([1, 2, 255])], f"{when}: echoed")

    await row.exchange(conn, body)


async def order(row):
    """Numbers go out with up to forty unanswered, so that more answers wait than the client takes in one poll. This client switches transports before it lets anybody emit, so most of them follow the switch."""
    conn = await row.open()
    sent = answered = back = 0
    last = 400
    done = row.loop.create_future()

    def acked(n):
        def check(m):
            nonlocal answered
            if (m, n) != (answered, answered):
                row.fail(f"ack of {n} says {m}, after {answered} others")
            answered += 1
            pump()

        return lambda m: row.loop.call_soon_threadsafe(check, m)

    def returned(n):
        nonlocal back
        if n != back:
            row.fail(f"seq-back {n} where {back} was due")
        back += 1
        pump()

    def pump():
        more.set()
        if answered == last and back == last and not done.done():
            done.set_result(None)

    conn.watchers["seq-back"] = returned
    more = asyncio.Event()

    async def send():
        nonlocal sent
        while sent < last:
            while sent < last and sent - answered < 40:
                sent += 1
                await conn.emit("seq", sent - 1, callback=acked(sent - 1))
            more.clear()
            await more.wait()

    sender = asyncio.ensure_future(send())
    try:
        await row.settled(conn)
        await row.wait("all numbers there and back", done)
    finally:
        sender.cancel()
    row.equal(await conn.ask("seq-report"), [list(range(last))], "what the server received")
    await row.settled(conn)


async def heartbeat(row):
    conn = await row.open()
    await row.settled(conn)
    for _ in range(3):
        await conn.next("beat")
    row.equal(await conn.ask("echo", "alive é"), ["alive é"], "echo after heartbeats")
    await row.settled(conn)


async def offset(row):
    conn = await row.open(recovery=True)
    room = "r " + os.urandom(8).hex()
    await conn.ask("join", room)

    async def volatile(*args):
        # A volatile event may be dropped whenever the link is busy, so ask until one comes.
        for _ in range(1000):
            await conn.ask("volatile", "poked", *args)
            if poked := conn.box("poked"):
                return poked[0]
        row.fail("a thousand volatile events in a row were dropped")

    async def body(when):
        bare = [[1, "é€😀"], [bytes([5])], []]
        for args in bare:
            await conn.ask("broadcast", room, "news", *args)
        news = [await conn.next("news") for _ in bare]
        row.equal([args[:-1] for args in news], bare, f"{when}: arguments before the offset")
        for args in news:
            row.ok(isinstance(args[-1], str) and OFFSET.fullmatch(args[-1]), f"{when}: not an offset: {args[-1]!r}")
        await conn.ask("direct", "news", "for you alone")
        direct, *tail = await conn.next("news")
        row.equal(direct, "for you alone", f"{when}: direct event")
        row.ok(len(tail) == 1 and OFFSET.fullmatch(tail[0]) and "+" in tail[0], f"{when}: not the offset of a direct event: {tail}")
        row.equal(await volatile(1, "text"), [1, "text", None], f"{when}: volatile text")
        row.equal(await volatile("text", 1), ["text", 1], f"{when}: volatile number")
        await conn.emit("ask", "acked")
        *question, answer = await conn.next("question")
        row.equal(question, ["acked"], f"{when}: an event with ack carries nothing more")
        answer.set_result("yes")
        row.equal((await conn.next("answered"))[0], "yes", f"{when}: answered")

    await row.exchange(conn, body)

    bare = await row.open(recovery=True, auth={"recover": False, "token": "é"})
    row.equal((await bare.whoami())["auth"], {"token": "é"}, "auth of a client that opted out")
    await bare.ask("join", room)
    await bare.ask("broadcast", room, "news", "text")
    row.equal(await bare.next("news"), ["text"], "a client that opted out sees the arguments alone")


ROWS = {f.__name__: f for f in (text, ack, binary, namespace, refuse, unknown, leave, kick, reconnect, order, heartbeat, offset)}
