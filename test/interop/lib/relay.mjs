// A TCP relay with a switch, so that a link can be lost. It looks at no more than where a request begins.
import net from "node:net";

export class Relay {
  constructor(to) {
    this.to = new URL(to);
    this.links = new Set();
    this.refusing = false;
    this.changed = () => {};
    this.server = net.createServer((client) => this.link(client));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  link(client) {
    if (this.refusing) return client.resetAndDestroy();
    const server = net.connect(Number(this.to.port), this.to.hostname);
    const link = { client, server, held: false };
    this.links.add(link);
    client.setNoDelay(true);
    server.setNoDelay(true);
    // held: the server holds something of this link's, which it will miss at once: a poll it has not answered, or a WebSocket.
    client.on("data", (chunk) => {
      const head = chunk.toString("latin1", 0, 2048);
      if (/^GET /.test(head) && /[?&]sid=/.test(head)) link.held = true;
      if (/^upgrade: websocket/im.test(head)) link.held = link.socket = true;
      server.write(chunk);
      this.changed();
    });
    server.on("data", (chunk) => {
      if (!link.socket) link.held = false;
      if (client.writable) client.write(chunk);
    });
    client.on("end", () => server.end());
    server.on("end", () => client.end());
    client.on("close", () => {
      this.links.delete(link);
      server.end(() => server.destroy());
    });
    server.on("close", () => client.destroy());
    client.on("error", () => {}); // "close" follows
    server.on("error", () => {});
  }

  /**
   * cut ends every connection, as soon as the server holds one, and refuses new ones. The client's side is reset; the server's is
   * closed after what was sent to it, or a poll still on its way would be lost and the server notice nothing before its ping time-out.
   */
  async cut() {
    while (![...this.links].some((link) => link.held)) await new Promise((resolve) => (this.changed = resolve));
    this.changed = () => {};
    this.refusing = true;
    for (const { client, server } of this.links) {
      client.resetAndDestroy();
      server.end(() => server.destroy());
    }
  }

  restore() {
    this.refusing = false;
  }

  async close() {
    for (const { client, server } of this.links) {
      client.destroy();
      server.destroy();
    }
    await new Promise((resolve) => this.server.close(resolve));
  }
}
