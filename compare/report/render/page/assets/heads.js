"use strict";

// The map of layers and heads: a grid of buttons, each of which opens the attention of one head.

const heads = data.attention && {
  layers: Object.keys(data.attention.layers).sort((a, b) => a - b),
  grid: byId("head-grid"),
  runtime: () => data.attention.runtimes[byId("head-runtime").value],
};

// The shades of a value between 0 and 1. All people can tell them apart, and they are readable on both themes.
const shade = (share) => d3.interpolateCividis(share);

// Return the smallest and the largest difference of any runtime that is not 0; undefined if there is none.
function headEnds() {
  const all = data.attention.runtimes.flatMap((runtime) => Object.values(runtime.gaps).flat());
  return d3.extent(all.filter((gap) => gap > 0));
}

// Return the difference of a head in words.
function headWords(runtime, layer, head) {
  const gap = runtime.gaps[layer]?.[head];
  const size = gap === undefined ? "not exposed" : gap === null ? "not a finite number" : short(gap);
  const kept = runtime.heads.includes(`${layer}.${head}`) ? ", difference in this page" : "";
  return `layer ${layer}, head ${head}: largest difference of ${runtime.name} ${size}${kept}`;
}

function headCell(layer, head) {
  const cell = document.createElement("button");
  cell.type = "button";
  cell.setAttribute("role", "gridcell");
  cell.dataset.layer = layer;
  cell.dataset.head = head;
  cell.tabIndex = -1;
  cell.addEventListener("click", () => openMaps(layer, head));
  for (const event of ["focus", "pointerenter"]) {
    cell.addEventListener(event, () => {
      byId("head-said").textContent = `${headWords(heads.runtime(), layer, head)}. Enter or a click opens it.`;
    });
  }
  return cell;
}

function headRow(label, cells, role) {
  const row = document.createElement("div");
  row.setAttribute("role", "row");
  row.className = "head-row";
  const name = document.createElement("span");
  name.setAttribute("role", role);
  name.className = "head-name";
  name.textContent = label;
  row.append(name, ...cells);
  return row;
}

function buildHeads() {
  const most = Math.max(...heads.layers.map((layer) => data.attention.layers[layer].heads));
  const step = most > 16 ? 8 : most > 8 ? 2 : 1;
  const numbers = [...Array(most).keys()].map((head) => {
    const number = document.createElement("span");
    number.setAttribute("role", "columnheader");
    number.className = "head-number";
    number.textContent = head % step === 0 ? head : "";
    return number;
  });
  const places = (layer) => [...Array(data.attention.layers[layer].heads).keys()];
  const cells = (layer) => places(layer).map((head) => headCell(layer, head));
  const rows = heads.layers.map((layer) => headRow(layer, cells(layer), "rowheader"));
  heads.grid.setAttribute("role", "grid");
  heads.grid.setAttribute("aria-label", "Layers (down) and heads (across)");
  heads.grid.style.setProperty("--heads", most);
  heads.grid.replaceChildren(headRow("layer", numbers, "columnheader"), ...rows);
  heads.cells = rows.map((row) => [...row.querySelectorAll("button")]);
  heads.cells[0][0].tabIndex = 0;
  heads.grid.addEventListener("keydown", moveHead);
}

// Move the focus with the arrow keys, Home and End.
function moveHead(event) {
  const row = heads.cells.findIndex((cells) => cells.includes(event.target));
  if (row < 0) return;
  const column = heads.cells[row].indexOf(event.target);
  const [down, across] = {
    ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -column], End: [0, Infinity],
  }[event.key] ?? [0, 0];
  if (!down && !across) return;
  event.preventDefault();
  const cells = heads.cells[Math.min(Math.max(row + down, 0), heads.cells.length - 1)];
  const next = cells[Math.min(Math.max(column + across, 0), cells.length - 1)];
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// Shade the cells for the chosen runtime.
function shadeHeads() {
  const runtime = heads.runtime(), [low, high] = headEnds();
  const scale = d3.scaleLog([low / 1.01, high], [0, 1]);
  for (const cell of heads.cells.flat()) {
    const { layer, head } = cell.dataset;
    const gap = runtime.gaps[layer]?.[head];
    const known = typeof gap === "number";
    cell.classList.toggle("unknown", !known);
    cell.classList.toggle("kept", runtime.heads.includes(`${layer}.${head}`));
    const share = gap > 0 ? scale(gap) : 0;
    cell.style.backgroundColor = known ? shade(share) : "";
    cell.style.color = known ? (share > 0.5 ? "#000" : "#fff") : "";
    cell.setAttribute("aria-label", headWords(runtime, layer, head));
  }
  const above = runtime.above ? ` Keys above the causal diagonal have a probability of up to ${runtime.above}.` : "";
  byId("head-words").textContent = `${runtime.name}: ${runtime.verdict}.${above}`;
  if (low) drawScale(byId("head-scale"), shade, [low, high].map(short), "largest difference, logarithmic");
}

// Draw a bar of shades with its ends in words. words: texts from the left to the right end.
function drawScale(element, shades, words, note) {
  const bar = document.createElement("canvas");
  bar.width = 160;
  bar.height = 1;
  bar.setAttribute("aria-hidden", "true");
  const context = bar.getContext("2d");
  for (let x = 0; x < bar.width; x++) {
    context.fillStyle = shades(x / (bar.width - 1));
    context.fillRect(x, 0, 1, 1);
  }
  const text = (content) => Object.assign(document.createElement("span"), { textContent: content });
  element.replaceChildren(text(words[0]), bar, text(words.slice(1).join(" … ")), text(note ? `(${note})` : ""));
}

if (heads) {
  fill(byId("head-runtime"), data.attention.runtimes.map((runtime, at) => [at, runtime.name]));
  const worst = data.attention.runtimes.findIndex((runtime) => runtime.verdict.startsWith("different"));
  byId("head-runtime").value = Math.max(worst, 0);
  buildHeads();
  shadeHeads();
  byId("head-runtime").addEventListener("change", shadeHeads);
}
