// The block viewer: what the API tells, drawn on a time axis. Data becomes text nodes, never markup.
"use strict";

const HOUR = 3600e3, DAY = 24 * HOUR;
const STEPS = [HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 365 * DAY, 3650 * DAY];
const state = { blocks: [], marks: {}, partial: [], label: "", admin: false, from: 0, to: 1, chosen: null };
const at = (id) => document.getElementById(id);

function make(tag, properties, ...children) {
  const node = document.createElement(tag);
  Object.assign(node, properties);
  node.append(...children.filter((child) => child !== null));
  return node;
}

const number = (value) => (value || 0).toLocaleString("en-US");
const resolution = (ms) => (ms === 0 ? "raw" : span(ms));
const time = (ms) => {
  const date = new Date(ms);
  return isNaN(date) ? String(ms) : date.toISOString().slice(0, 16).replace("T", " ");
};

function span(ms) {
  const units = [["d", DAY], ["h", HOUR], ["m", 60e3], ["s", 1e3], ["ms", 1]];
  let out = ms < 0 ? "-" : "", rest = Math.abs(ms), parts = 0;
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0 && parts < 2) { out += count + unit; parts++; }
    rest -= count * size;
  }
  return out || "0s";
}

function bytes(value) {
  let size = value, unit = 0;
  while (size >= 1024 && unit < 5) { size /= 1024; unit++; }
  return (unit === 0 ? size : size.toFixed(1)) + " " + ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit];
}

const sizeOf = (block) => (block.thanos.files || []).reduce((sum, file) => sum + (file.size_bytes || 0), 0);
const labelsOf = (block) => Object.entries(block.thanos.labels || {}).sort(([a], [b]) => (a < b ? -1 : 1));
const marksOf = (block) => state.marks[block.ulid] || [];

async function load() {
  try {
    const response = await fetch("api/v1/blocks?view=global");
    const body = await response.json();
    if (body.status !== "success") throw new Error(body.error || response.statusText);
    const data = body.data;
    state.blocks = (data.blocks || []).filter((block) => block && block.thanos);
    state.marks = data.marks || {};
    state.partial = data.partial || [];
    state.label = data.label || "";
    state.admin = data.adminOperations === true;
    state.refreshedAt = Date.parse(data.refreshedAt);
    problem(data.err ? "The last look at the bucket failed; this is what was seen before. " + data.err : "");
    overlaps();
    levels();
    if (state.from === 0 && state.to === 1) everything();
    named();
    draw();
  } catch (error) {
    problem("The list of blocks cannot be read: " + error.message);
  }
}

function problem(text) {
  at("problem").hidden = text === "";
  at("problem").textContent = text;
}

// Blocks of one group and resolution that share time; those to be deleted do not count.
function overlaps() {
  state.overlapping = new Set();
  for (const [, blocks] of grouped(state.blocks.filter((block) => !toBeDeleted(block)), (block) => groupKey(block) + "@" + block.thanos.downsample.resolution)) {
    let widest = null;
    for (const block of blocks.sort((a, b) => a.minTime - b.minTime)) {
      if (widest && block.minTime < widest.maxTime) { state.overlapping.add(block.ulid); state.overlapping.add(widest.ulid); }
      if (!widest || block.maxTime > widest.maxTime) widest = block;
    }
  }
}

const toBeDeleted = (block) => marksOf(block).some((mark) => mark.marker === "deletion-mark.json");
const groupKey = (block) => JSON.stringify(labelsOf(block));

function grouped(blocks, key) {
  const groups = new Map();
  for (const block of blocks) {
    const name = key(block);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(block);
  }
  return groups;
}

function levels() {
  const select = at("level"), before = select.value;
  const found = [...new Set(state.blocks.map((block) => block.compaction.level))].sort((a, b) => a - b);
  select.replaceChildren(make("option", { value: "", textContent: "every level" }), ...found.map((level) => make("option", { value: String(level), textContent: "level " + level })));
  select.value = found.map(String).includes(before) ? before : "";
}

function shown() {
  const words = at("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = { resolution: at("resolution").value, level: at("level").value, marked: at("marked").value };
  return state.blocks.filter((block) => {
    if (wanted.resolution !== "" && String(block.thanos.downsample.resolution) !== wanted.resolution) return false;
    if (wanted.level !== "" && String(block.compaction.level) !== wanted.level) return false;
    const marks = marksOf(block);
    if (wanted.marked === "none" && marks.length > 0) return false;
    if (wanted.marked === "any" && marks.length === 0) return false;
    if (wanted.marked === "overlap" && !state.overlapping.has(block.ulid)) return false;
    if (wanted.marked.endsWith(".json") && !marks.some((mark) => mark.marker === wanted.marked)) return false;
    const text = [block.ulid, block.thanos.source, ...labelsOf(block).map(([name, value]) => name + "=" + value)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function everything() {
  const blocks = state.blocks.filter((block) => block.minTime < block.maxTime);
  if (blocks.length === 0) { state.from = Date.now() - DAY; state.to = Date.now(); return; }
  let from = Infinity, to = -Infinity;
  for (const block of blocks) { from = Math.min(from, block.minTime); to = Math.max(to, block.maxTime); }
  const margin = (to - from) * 0.01;
  state.from = from - margin;
  state.to = to + margin;
}

const place = (ms) => ((ms - state.from) / (state.to - state.from)) * 100;

function draw() {
  const blocks = shown();
  const groups = [...grouped(blocks, groupKey)].sort(([a], [b]) => (a < b ? -1 : 1));
  const size = blocks.reduce((sum, block) => sum + sizeOf(block), 0);
  const samples = blocks.reduce((sum, block) => sum + (block.stats.numSamples || 0), 0);
  const age = isNaN(state.refreshedAt) || state.refreshedAt <= 0 ? "not yet read" : "read " + time(state.refreshedAt) + " UTC";
  at("summary").textContent = `${number(blocks.length)} of ${number(state.blocks.length)} blocks in ${number(groups.length)} groups, ${number(samples)} samples, ${bytes(size)}; ${age}`;
  axis();
  at("groups").replaceChildren(...(groups.length ? groups.map(([, members]) => group(members)) : [make("p", { className: "empty", textContent: state.blocks.length ? "No block fits the filters." : "No blocks." })]));
  at("partial").hidden = state.partial.length === 0;
  at("partial").querySelector("ul").replaceChildren(...state.partial.map((one) => make("li", {}, make("code", { textContent: one.id }), " " + one.reason)));
}

function axis() {
  const width = at("axis").clientWidth || 800;
  const step = STEPS.find((size) => ((state.to - state.from) / size) * 92 <= width) || STEPS[STEPS.length - 1];
  const ticks = [];
  for (let tick = Math.ceil(state.from / step) * step; tick <= state.to && ticks.length < 100; tick += step) {
    const node = make("div", { className: "tick", textContent: step >= DAY ? time(tick).slice(0, 10) : time(tick).slice(5) });
    node.style.left = place(tick) + "%";
    ticks.push(node);
  }
  at("axis").replaceChildren(...ticks);
}

function group(blocks) {
  const labels = labelsOf(blocks[0]);
  const own = labels.find(([name]) => name === state.label);
  const title = make("div", { className: "title" });
  if (own) title.append(make("strong", { textContent: own[1] }));
  for (const [name, value] of labels) if (!own || name !== state.label) title.append(make("span", { className: "chip", textContent: `${name}="${value}"` }));
  if (labels.length === 0) title.append(make("strong", { textContent: "no external labels" }));
  const size = blocks.reduce((sum, block) => sum + sizeOf(block), 0);
  title.append(make("span", { className: "count", textContent: `${number(blocks.length)} blocks, ${bytes(size)}` }));
  const rows = [...grouped(blocks, (block) => block.thanos.downsample.resolution)].sort(([a], [b]) => a - b);
  return make("section", { className: "group" }, title, ...rows.map(([ms, members]) => row(ms, members)));
}

function row(ms, blocks) {
  const lanes = [];
  for (const block of blocks.sort((a, b) => a.minTime - b.minTime || (a.ulid < b.ulid ? -1 : 1))) {
    const from = Math.min(block.minTime, block.maxTime), to = Math.max(block.minTime, block.maxTime);
    let lane = lanes.find((lane) => lane.end <= from);
    if (!lane) { lane = { end: 0, node: make("div", { className: "lane" }) }; lanes.push(lane); }
    lane.end = to;
    if (to >= state.from && from <= state.to) lane.node.append(bar(block, from, to));
  }
  return make("div", { className: "row" }, make("span", { textContent: resolution(ms) }), make("div", {}, ...lanes.map((lane) => lane.node)));
}

function bar(block, from, to) {
  const marks = marksOf(block).map((mark) => mark.marker);
  const classes = ["block", "r" + block.thanos.downsample.resolution];
  if (state.overlapping.has(block.ulid)) classes.push("overlap");
  if (marks.some((mark) => mark !== "deletion-mark.json")) classes.push("no-compact");
  if (marks.includes("deletion-mark.json")) classes.push("deletion");
  if (state.chosen === block.ulid) classes.push("chosen");
  const node = make("button", {
    type: "button", className: classes.join(" "),
    title: `${block.ulid}\n${time(from)} – ${time(to)} (${span(to - from)})\n${resolution(block.thanos.downsample.resolution)}, level ${block.compaction.level}, ${bytes(sizeOf(block))}`,
  });
  const left = Math.max(place(from), 0), right = Math.min(place(to), 100);
  node.style.left = left + "%";
  node.style.width = Math.max(right - left - 0.02, 0.05) + "%";
  if (right - left > 1.2) node.textContent = String(block.compaction.level);
  node.addEventListener("click", () => choose(block, node));
  return node;
}

function choose(block, node) {
  document.querySelectorAll(".chosen").forEach((one) => one.classList.remove("chosen"));
  node.classList.add("chosen");
  state.chosen = block.ulid;
  // So that a block can be pointed at.
  history.replaceState(null, "", "#" + block.ulid);
  details(block);
}

// The block that the address names.
function named() {
  const block = state.blocks.find((one) => "#" + one.ulid === location.hash);
  if (!block || state.chosen === block.ulid) return;
  state.chosen = block.ulid;
  details(block);
}

function details(block) {
  const list = make("dl", {});
  const say = (name, ...value) => list.append(make("dt", { textContent: name }), make("dd", {}, ...value));
  const { thanos, stats, compaction } = block;
  say("From", time(block.minTime));
  say("Until", time(block.maxTime));
  say("Range", span(block.maxTime - block.minTime));
  say("Resolution", resolution(thanos.downsample.resolution));
  say("Level", String(compaction.level) + (compaction.failed ? " (compaction failed)" : "") + (compaction.deletable ? " (deletable)" : ""));
  say("Source", thanos.source || "unknown");
  say("Size", (thanos.files || []).length ? bytes(sizeOf(block)) : "unknown");
  say("Series", number(stats.numSeries));
  say("Samples", number(stats.numSamples));
  say("Chunks", number(stats.numChunks));
  if (stats.numTombstones) say("Tombstones", number(stats.numTombstones));
  for (const [name, value] of labelsOf(block)) say("Label", make("span", { className: "chip", textContent: `${name}="${value}"` }));
  say("Sources", number((compaction.sources || []).length));
  if ((compaction.parents || []).length) say("Parents", compaction.parents.map((parent) => parent.ulid).join(" "));
  if ((thanos.rewrites || []).length) say("Rewrites", number(thanos.rewrites.length));
  const marks = marksOf(block).map((mark) => make("p", { className: "mark" + (mark.marker === "deletion-mark.json" ? " deletion" : ""), textContent: `${mark.marker}: ${mark.reason || "no reason given"}${mark.time ? " (" + time(mark.time * 1000) + ")" : ""}` }));
  if (state.overlapping.has(block.ulid)) marks.push(make("p", { className: "mark deletion", textContent: "Overlaps another block of this group and resolution" }));
  const copy = make("button", { type: "button", textContent: "Copy ULID" });
  copy.addEventListener("click", () => navigator.clipboard && navigator.clipboard.writeText(block.ulid));
  at("details").replaceChildren(
    make("h2", { textContent: block.ulid }), copy, list, ...marks,
    make("details", {}, make("summary", { textContent: "meta.json" }), make("pre", { textContent: JSON.stringify(block, null, 2) })),
    state.admin ? actions(block) : null,
  );
}

function actions(block) {
  const action = make("select", { ariaLabel: "Mark" }, make("option", { value: "NO_COMPACTION", textContent: "Do not compact" }), make("option", { value: "DELETION", textContent: "Delete, after the compactor's delay" }));
  const detail = make("input", { type: "text", placeholder: "Why", maxLength: 500, ariaLabel: "Why" });
  const button = make("button", { type: "submit", textContent: "Mark this block" });
  const said = make("p", { className: "said" });
  const form = make("form", { className: "act" }, make("h2", { textContent: "Mark" }), action, detail, button, said);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (action.value === "DELETION" && !confirm(`Mark ${block.ulid} for deletion?`)) return;
    button.disabled = true;
    try {
      const response = await fetch("api/v1/blocks/mark", { method: "POST", body: new URLSearchParams({ id: block.ulid, action: action.value, detail: detail.value }) });
      if (!response.ok) throw new Error((await response.json()).error || response.statusText);
      await load();
      details(block);
    } catch (error) {
      said.textContent = error.message;
      button.disabled = false;
    }
  });
  return form;
}

function zoom(factor, shift) {
  const width = state.to - state.from, middle = state.from + width / 2 + width * shift;
  const half = Math.max((width * factor) / 2, 30e3);
  state.from = middle - half;
  state.to = middle + half;
  draw();
}

at("zoom-all").addEventListener("click", () => { everything(); draw(); });
at("zoom-in").addEventListener("click", () => zoom(0.5, 0));
at("zoom-out").addEventListener("click", () => zoom(2, 0));
at("pan-back").addEventListener("click", () => zoom(1, -0.3));
at("pan-forth").addEventListener("click", () => zoom(1, 0.3));
at("filters").addEventListener("input", draw);
at("filters").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("resize", axis);
window.addEventListener("hashchange", () => { named(); draw(); });

at("axis").addEventListener("pointerdown", (event) => {
  const track = at("axis"), box = track.getBoundingClientRect();
  const share = (one) => Math.min(Math.max((one.clientX - box.left) / box.width, 0), 1);
  const start = share(event), brush = make("div", { className: "brush" });
  track.append(brush);
  track.setPointerCapture(event.pointerId);
  const move = (one) => {
    brush.style.left = Math.min(start, share(one)) * 100 + "%";
    brush.style.width = Math.abs(share(one) - start) * 100 + "%";
  };
  track.addEventListener("pointermove", move);
  track.addEventListener("pointerup", (one) => {
    track.removeEventListener("pointermove", move);
    brush.remove();
    const [low, high] = [start, share(one)].sort((a, b) => a - b), width = state.to - state.from;
    if (high - low > 0.005) { state.to = state.from + width * high; state.from += width * low; }
    draw();
  }, { once: true });
});

load();
setInterval(load, 60e3);
