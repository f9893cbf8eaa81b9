// The chat's page. It uses the official client, which has put "io" into the window.
"use strict";

const $ = (id) => document.getElementById(id);
const ACK_MS = 5000;
const TYPING_MS = 3000;
const KEPT = 500; // lines

if (!window.io) {
  $("no-client").hidden = false;
  status("refused", "no client");
} else {
  start();
}

function status(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}

function start() {
  const socket = io({ path: document.body.dataset.path, autoConnect: false, auth: (send) => send({ name: me.name }) });
  const me = { name: "", room: "", wanted: "" }; // wanted: where to go when connected
  const people = new Map(); // id → name
  const writers = new Map(); // id → timer of somebody who is typing
  let everConnected = false;

  $("enter").hidden = false;
  $("name").value = sessionStorage.getItem("name") || "";

  // ---- lines

  function line(className, ...parts) {
    const log = $("messages");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const li = document.createElement("li");
    li.className = className;
    li.append(...parts);
    log.append(li);
    while (log.children.length > KEPT) log.firstChild.remove();
    if (atEnd || className === "mine") log.scrollTop = log.scrollHeight;
    return li;
  }
  const note = (text) => line("note", text);
  function span(className, text) {
    const s = document.createElement("span");
    s.className = className;
    s.textContent = text;
    return s;
  }
  function clock(time) {
    const t = document.createElement("time");
    t.dateTime = time;
    t.textContent = new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    return t;
  }

  // ---- who is here, and where

  function showPeople() {
    const list = [...people].sort((a, b) => a[1].localeCompare(b[1]));
    $("people").replaceChildren(...list.map(([id, name]) => {
      const li = document.createElement("li");
      li.textContent = name;
      if (id === socket.id) li.className = "me";
      return li;
    }));
  }
  function showTyping() {
    const names = [...writers.keys()].map((id) => people.get(id)).filter(Boolean);
    $("typing").textContent = !names.length ? "" : names.length > 2 ? "Several people are typing…" : `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing…`;
  }
  function stopsTyping(id) {
    clearTimeout(writers.get(id));
    if (writers.delete(id)) showTyping();
  }
  let rooms = [];
  function showRooms() {
    const names = [...new Set([...rooms, ...(me.room ? [me.room] : [])])].sort();
    $("rooms").replaceChildren(...names.map((name) => {
      const li = document.createElement("li");
      const b = document.createElement("button");
      b.type = "button";
      b.textContent = name;
      if (name === me.room) b.setAttribute("aria-current", "true");
      b.addEventListener("click", () => join(name));
      li.append(b);
      return li;
    }));
    $("known").replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: name })));
  }
  function inRoom(name) {
    me.room = name;
    $("room-name").textContent = name || "Not in a room";
    $("leave").hidden = !name;
    $("rejoin").hidden = !!name;
    $("text").disabled = !name;
    $("compose").querySelector("button").disabled = !name;
    if (!name) {
      people.clear();
      for (const id of [...writers.keys()]) stopsTyping(id);
    }
    showPeople();
    showRooms();
  }

  /** ask emits and gives the answer, or throws what the server or the clock says. */
  async function ask(event, ...args) {
    const answer = await socket.timeout(ACK_MS).emitWithAck(event, ...args);
    if (answer && answer.error) throw new Error(answer.error);
    return answer;
  }

  let meanwhile = null; // who came and went while an answer to "join" is due
  async function join(name) {
    me.wanted = name;
    meanwhile = [];
    try {
      const answer = await ask("join", name);
      people.clear();
      for (const p of answer.people) people.set(p.id, p.name);
      for (const [here, p, room] of meanwhile) if (room === answer.room) here ? people.set(p.id, p.name) : people.delete(p.id);
      me.wanted = answer.room;
      $("chat").hidden = false;
      $("enter").hidden = true;
      if (me.room !== answer.room) {
        $("messages").replaceChildren();
        note(`You are in ${answer.room}.`);
      }
      inRoom(answer.room);
      $("text").focus();
    } catch (error) {
      if (!socket.connected) return; // "connect" tries again
      if ($("chat").hidden) $("refused").textContent = error.message;
      else note(`Could not join ${name}: ${error.message}`);
    } finally {
      meanwhile = null;
    }
  }

  // ---- the connection

  socket.on("connect", () => {
    const via = () => socket.connected && status("connected", `connected by ${socket.io.engine.transport.name}`);
    via();
    socket.io.engine.on("upgrade", via);
    if (everConnected) note(socket.recovered ? "Back again, and nothing was missed." : "Back again as a new connection.");
    everConnected = true;
    if (socket.recovered && me.room) showPeople();
    else if (me.wanted) join(me.wanted);
  });
  socket.on("connect_error", (error) => {
    if (socket.active) return status("waiting", "cannot reach the server, trying again…");
    status("refused", "refused");
    $("refused").textContent = error.message;
    $("chat").hidden = true;
    $("enter").hidden = false;
    $("name").focus();
  });
  socket.on("disconnect", (reason) => {
    for (const id of [...writers.keys()]) stopsTyping(id);
    if (socket.active) {
      status("waiting", "connection lost, trying again…");
      note("Connection lost.");
    } else {
      status("idle", "disconnected");
      note(`Disconnected: ${reason}.`);
    }
  });
  socket.io.on("reconnect_attempt", (n) => status("waiting", `trying again, attempt ${n}…`));

  // ---- what the server says

  socket.on("rooms", (list) => {
    rooms = list;
    showRooms();
  });
  socket.on("joined", (p, room) => {
    if (meanwhile) meanwhile.push([true, p, room]);
    if (room !== me.room) return;
    const known = people.has(p.id);
    people.set(p.id, p.name);
    showPeople();
    if (!known) note(`${p.name} came in.`);
  });
  socket.on("left", (p, room) => {
    if (meanwhile) meanwhile.push([false, p, room]);
    if (room !== me.room) return;
    stopsTyping(p.id);
    if (people.delete(p.id)) note(`${p.name} went.`);
    showPeople();
  });
  socket.on("message", (m) => {
    if (m.room !== me.room) return;
    stopsTyping(m.from.id);
    line("theirs", span("who", m.from.name), m.text, clock(m.time));
  });
  socket.on("typing", (p, on) => {
    stopsTyping(p.id);
    if (on) writers.set(p.id, setTimeout(() => stopsTyping(p.id), 2 * TYPING_MS));
    showTyping();
  });

  // ---- what the user does

  $("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    me.name = $("name").value.trim();
    me.wanted = $("room").value.trim();
    sessionStorage.setItem("name", me.name);
    $("refused").textContent = "";
    if (socket.connected) join(me.wanted);
    else {
      status("waiting", "connecting…");
      socket.connect();
    }
  });
  $("other").addEventListener("submit", (event) => {
    event.preventDefault();
    join($("other-room").value.trim());
    $("other-room").value = "";
  });
  $("leave").addEventListener("click", async () => {
    me.wanted = "";
    try {
      await ask("leave");
      note(`You left ${me.room}.`);
      $("rejoin").dataset.room = me.room;
      inRoom("");
      $("rejoin").focus();
    } catch (error) {
      note(`Could not leave: ${error.message}`);
    }
  });
  $("rejoin").addEventListener("click", () => join($("rejoin").dataset.room));
  $("drop").addEventListener("click", () => socket.io.engine && socket.io.engine.close());

  let saidTyping = 0, quiet;
  function typing(on) {
    clearTimeout(quiet);
    if (on) quiet = setTimeout(() => typing(false), TYPING_MS);
    if (on ? Date.now() - saidTyping > TYPING_MS : saidTyping) {
      saidTyping = on ? Date.now() : 0;
      socket.volatile.emit("typing", on);
    }
  }
  $("text").addEventListener("input", () => typing($("text").value !== ""));

  $("compose").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value;
    if (!text.trim()) return;
    $("text").value = "";
    typing(false);
    const mark = span("mark", "");
    line("mine", text, mark);
    send(text, mark);
  });

  /** send shows … until the server answers, then ✓. */
  async function send(text, mark) {
    mark.dataset.state = "waiting";
    mark.textContent = "…";
    mark.title = "on its way";
    try {
      const receipt = await ask("message", text);
      mark.dataset.state = "sent";
      mark.replaceChildren(clock(receipt.time), " ✓");
      mark.title = "the server has it";
    } catch (error) {
      mark.dataset.state = "failed";
      mark.title = error.message;
      const again = document.createElement("button");
      again.type = "button";
      again.textContent = "send again";
      again.addEventListener("click", () => send(text, mark));
      mark.replaceChildren("not confirmed ", again);
    }
  }
}
