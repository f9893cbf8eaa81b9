"""A column's process: main.py FLAVOUR MODE PARSER, with FLAVOUR threads (socketio.Client) or asyncio (socketio.AsyncClient).

Rows come in on stdin, results leave on descriptor 3, both as JSON lines (lib/worker.mjs is the other end).
"""
import asyncio
import importlib.metadata
import json
import os
import sys
import time

from row import Row
from rows import ROWS

# The threaded client handles each message in a thread of its own and relies on them running in the order in which they were started. On a busy
# machine a thread can lose its turn at once, and a binary event then meets its attachments before its header. With long turns it does not.
sys.setswitchinterval(0.5)


async def main():
    flavour, mode, parser = sys.argv[1:4]
    out = os.fdopen(3, "w", buffering=1)

    def tell(message):
        out.write(json.dumps(message) + "\n")

    current = None

    async def run(order):
        nonlocal current
        current = row = Row(flavour, mode, parser, order, tell)
        begun = time.monotonic()
        result = {"type": "result", "ok": True}
        try:
            await row.guard(ROWS[order["row"]](row))
        except Exception as error:  # whatever went wrong is this row's failure
            result = {"type": "result", "ok": False, "error": str(error) or repr(error)}
        result["ms"] = round((time.monotonic() - begun) * 1000)
        await row.close()
        tell(result)

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell({"type": "ready", "version": importlib.metadata.version("python-socketio")})
    running = set()
    while line := await reader.readline():
        message = json.loads(line)
        if message["type"] == "run":
            task = asyncio.create_task(run(message))
            running.add(task)
            task.add_done_callback(running.discard)
        elif message["type"] == "done" and current:
            current.answered(message["call"])


asyncio.run(main())
os._exit(0)  # threads of a client that waits for a lost server end with the process
