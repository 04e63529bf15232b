"use strict";
// What is older than this is told with its age: half a minute of frames would be no news, a second of driver state is.
const STALE_S = 2;
// A browser that lost its stream tries again after this.
const AGAIN_MS = 1000;
// Bars of a node's histogram behind its 33 ms edge: later than a camera's frame.
const OVER = 9;

const byId = (id) => document.getElementById(id);
const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const dress = (node, name) => { if (node.className !== name) node.className = name; };
const make = (tag, name, ...inside) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  // Text goes in as text: whatever a message says, it is never markup.
  node.append(...inside.filter((one) => one != null && one !== ""));
  return node;
};
const known = (value, unit = "", digits = null) =>
  value == null ? "–" : `${digits == null ? value : Number(value).toFixed(digits)}${unit}`;
const percent = (value) => value == null ? "–" : `${Math.round(value * 100)} %`;
const range = ([low, mid, high] = [], unit = "") => mid == null ? "–" : `${mid}${unit} (${known(low)} to ${known(high)})`;
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
const old = (one) => one && one.age_s > STALE_S ? `${Math.round(one.age_s)} s ago` : null;

function facts(id, all) {
  const list = byId(id);
  while (list.children.length > all.length * 2) list.lastChild.remove();
  all.forEach(([name, text], at) => {
    if (!list.children[at * 2]) list.append(make("dt"), make("dd"));
    put(list.children[at * 2], name);
    put(list.children[at * 2 + 1], text);
  });
}

// Redrawn only when it is another: a list that is scrolled or selected stays as it is.
const drawn = new Map();
function list(id, all, line, nothing) {
  const key = JSON.stringify(all);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  byId(id).replaceChildren(...(all.length ? all.map(line) : [make("li", "empty", nothing)]));
}
const entry = (ms, ...inside) => make("li", "", make("span", "time", clock(ms)), ...inside);
const more = (...texts) => {
  const text = texts.filter((one) => one).join(" · ");
  return text ? make("span", "more", text) : null;
};
const badge = (text, level) => make("span", `badge ${level}`.trim(), text);

const DRIVER = { "attentive": "fine", "looking away": "warn", "eyes closed": "bad" };
const STATUS = { ok: "fine", degraded: "warn", unavailable: "bad" };
const RESULT = { done: "fine", accepted: "fine", refused: "warn", failed: "bad" };
const LOG = { warning: "warn", error: "bad", fatal: "bad" };

function driver(one, drowsiness, gesture, shown) {
  const state = byId("driver-state");
  const late = old(one);
  put(state, one ? (late ? `${one.state}, ${late}` : one.state) : "nothing heard");
  dress(state, `badge ${one && !late ? DRIVER[one.state] || "" : ""}`.trim());
  const [left, right] = one ? one.eyes : [];
  facts("driver-facts", [
    ["gaze", one ? `${one.gaze_zone} (${known(one.gaze_deg[0], "°")}, ${known(one.gaze_deg[1], "°")})` : "–"],
    ["eyes open", one ? `left ${percent(left)}, right ${percent(right)}` : "–"],
    ["perclos", one ? percent(one.perclos) : "–"],
    ["confidence", one ? percent(one.confidence) : "–"],
    ["drowsiness", drowsiness ? `${drowsiness.level}, ${known(drowsiness.blinks_per_minute)} blinks a minute` : "–"],
    ["gesture", gesture ? `${gesture.kind}${gesture.hand ? "" : ", no hand"}` : "–"],
    ["last gesture", shown ? `${shown.kind}${shown.action ? ` → ${shown.action}` : ""}, ${Math.round(shown.age_s)} s ago` : "–"],
  ]);
}

function nodes({ each, edges_ms: edges }) {
  const table = byId("node-rows");
  put(byId("edges"), edges && edges.length ? `under ${edges[0]} … over ${edges[edges.length - 1]} ms` : "");
  while (table.children.length > each.length) table.lastChild.remove();
  each.forEach((node, at) => {
    let row = table.children[at];
    if (!row) {
      row = make("tr", "", ...Array.from({ length: 11 }, (_, cell) => make("td", [2, 3, 4, 6, 7, 8, 9].includes(cell) ? "n" : "")));
      row.children[1].append(make("span", "badge"), make("small"));
      row.children[5].append(make("div", "histogram", ...node.counts.map((_, bar) => make("i", bar >= OVER ? "over" : ""))));
      table.append(row);
    }
    const cells = row.children;
    put(cells[0], node.node);
    put(cells[1].firstChild, node.silent ? `silent for ${Math.round(node.age_s)} s` : node.status);
    dress(cells[1].firstChild, `badge ${node.silent ? "bad" : STATUS[node.status] || ""}`.trim());
    put(cells[1].lastChild, node.reason);
    [node.p50_ms, node.p99_ms, node.max_ms].forEach((ms, i) => put(cells[2 + i], known(ms, "", 1)));
    const most = Math.max(1, ...node.counts);
    node.counts.forEach((count, bar) => {
      // A bar that is not empty is always seen.
      const height = count ? `${Math.max(8, Math.round(count * 100 / most))}%` : "0px";
      const bars = cells[5].firstChild.children;
      if (bars[bar] && bars[bar].style.height !== height) bars[bar].style.height = height;
    });
    cells[5].firstChild.title = node.counts.map((count, bar) => `${bar < edges.length ? `under ${edges[bar]}` : "over"} ms: ${count}`).join("\n");
    put(cells[6], `${node.steps}`);
    put(cells[7], `${node.late + node.too_late}`);
    put(cells[8], `${node.missed}`);
    dress(cells[8], node.missed ? "n warn" : "n");
    put(cells[9], `${node.faults + node.fall_backs}`);
    dress(cells[9], node.faults + node.fall_backs ? "n warn" : "n");
    put(cells[10], node.real_time ? "real-time" : "ordinary");
  });
}

function link(one) {
  const late = old(one);
  put(byId("link-state"), one ? (late ? `${one.state}, ${late}` : one.state) : "nothing heard");
  dress(byId("link-state"), `badge ${one && !late ? { up: "fine", down: "bad" }[one.state] || "" : ""}`.trim());
  facts("link-facts", [
    ["round trip", one ? range(one.rtt_ms, " ms") : "–"],
    ["down", one ? range(one.down_kbps, " kbit/s") : "–"],
    ["up", one ? range(one.up_kbps, " kbit/s") : "–"],
    ["loss", one ? `${percent(one.loss[0])} (at most ${percent(one.loss[1])})` : "–"],
    ["bearer", one ? `${one.bearer}, ${one.metered == null ? "taken for metered" : one.metered ? "metered" : "not metered"}` : "–"],
    ["last sample", one ? known(one.sample_age_s, " s ago") : "–"],
  ]);
}

function take(state) {
  driver(state.driver, state.drowsiness, state.gesture, state.gesture_shown);
  nodes(state.nodes);
  link(state.link);
  list("standing", state.standing, (one) => make("li", "badge bad", `${one.kind} (${one.profile})`), "");
  list("alert-list", state.alerts, (one) => entry(one.at_ms, badge(one.raised ? one.kind : `${one.kind} over`, one.raised ? "bad" : ""),
    more(one.profile, `${known(one.elapsed_s, " s")} of ${known(one.limit_s, " s")}`, `gaze ${one.zone}`, known(one.speed_kmh, " km/h"), one.requirement)), "none yet");
  list("turn-list", state.dialogue, (turn) => entry(turn.at_ms, make("b", "", turn.question || "(asked before this page listened)"),
    ...turn.pieces.map((piece) => make("div", "", badge(piece.who, piece.who === "cloud" ? "fine" : ""), ` ${piece.text}`)),
    turn.end ? more(turn.end.outcome, turn.end.reason, turn.end.model) : more("speaking…")), "nothing asked yet");
  list("decision-list", state.decisions, (one) => entry(one.at_ms, badge(one.tier, one.tier === "cloud" ? "fine" : ""), ` ${one.reason}`,
    more(one.model, one.task, one.privacy, `link ${one.link}`),
    ...one.weighed.filter((other) => other.why_not).map((other) => more(`not ${other.model} (${other.tier}): ${other.why_not}`))), "none yet");
  const signals = state.vehicle;
  facts("vehicle-facts", [
    ["speed", signals ? known(signals.speed_kmh, " km/h") : "–"],
    ["steering", signals ? known(signals.steering_deg, "°") : "–"],
    ["gear", signals ? ({ "-1": "reverse", 0: "neutral", 127: "drive" }[signals.gear] || `${signals.gear}`) : "–"],
    ["ignition", signals ? (signals.ignition ? "on" : "off") : "–"],
  ]);
  list("command-list", state.commands, (one) => entry(one.at_ms, make("b", "", one.function), ` ${one.slots.join(", ")} `,
    badge(one.status || "sent", RESULT[one.status] || ""), more(one.source, one.utterance, one.reason)), "no command yet");
  list("heard-list", state.heard, (one) => entry(one.at_ms, make("b", "", one.text || "…"), one.done ? null : " …",
    one.reply ? more(one.reply.kind, one.reply.text) : null), "nobody has spoken yet");
  list("log-list", state.log, (one) => entry(one.at_ms, LOG[one.level] ? badge(one.level, LOG[one.level]) : one.level, ` ${one.node}: ${one.text}`), "nothing logged");
  list("topic-list", state.topics, (one) => make("li", "", make("b", "", one.topic), more(one.type, `${one.messages} messages`,
    one.undecodable ? `${one.undecodable} that cannot be read` : "")), "none");
  const view = state.view || {};
  const nothing = byId("nothing");
  nothing.hidden = state.topics.length > 0;
  put(nothing, `Nothing is heard: ${view.place}. Start a system there: troika run launch/systems/cabin.toml`);
  put(byId("connection"), `${view.place}${view.foxglove_clients ? ` · ${view.foxglove_clients} in Foxglove` : ""} · ${clock(state.now_ms)}`);
  dress(byId("connection"), "");
  images = view.images;
  if (!images) put(byId("picture-note"), "pictures are off (--no-images)");
}

function listen() {
  const events = new EventSource("events");
  events.onmessage = (event) => take(JSON.parse(event.data));
  events.onerror = () => {
    put(byId("connection"), "troika view is not there: what is shown is old");
    dress(byId("connection"), "bad");
    events.close();
    setTimeout(listen, AGAIN_MS);
  };
}

let images = false;
let after = 0;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// A line of JSON, then a JPEG.
async function show(bytes) {
  const end = bytes.indexOf(10);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  const bitmap = await createImageBitmap(new Blob([bytes.subarray(end + 1)], { type: "image/jpeg" }));
  const canvas = byId("picture");
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  bitmap.close();
  after = head.number;
  if (byId("marks").checked) mark(pen, canvas, head);
  canvas.dataset.number = head.number;
  canvas.dataset.landmarks = head.landmarks.length / 2;
  put(byId("picture-note"), `${head.width} × ${head.height}${head.judged ? head.face_box ? "" : ", no face" : ", not judged"}`);
}

function mark(pen, { width, height }, { face_box: box, landmarks, hand }) {
  pen.lineWidth = 2;
  if (box) {
    pen.strokeStyle = "#ffd54a";
    pen.strokeRect(box[0] * width, box[1] * height, box[2] * width, box[3] * height);
  }
  for (const [points, color, size] of [[landmarks, "#5cf2a0", 1.4], [hand, "#66b8ff", 3]]) {
    pen.fillStyle = color;
    for (let at = 0; at + 1 < points.length; at += 2) {
      if (points[at] != null) pen.fillRect(points[at] * width - size / 2, points[at + 1] * height - size / 2, size, size);
    }
  }
}

// One picture after another is asked for, while this page is looked at: what comes in between is passed over.
async function look() {
  for (;;) {
    if (!images || document.hidden) {
      await wait(200);
      continue;
    }
    try {
      const answer = await fetch(`picture?after=${after}`);
      if (answer.status === 200) await show(new Uint8Array(await answer.arrayBuffer()));
      else if (answer.status === 204) put(byId("picture-note"), "no picture comes");
      else put(byId("picture-note"), await answer.text());
    } catch {
      // Another process counts anew.
      after = 0;
      await wait(AGAIN_MS);
    }
  }
}

listen();
look();
