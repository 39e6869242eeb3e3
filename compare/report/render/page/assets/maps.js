"use strict";

// The dialog with the attention of one head: golden, a runtime and their difference, on canvas.

const maps = { dialog: byId("maps"), images: {}, places: {} };

const TEXT = 12; // height of the letters in a map, in pixels
const TOP = 8; // pixels above a map, so that the first letter has room

// Return the bytes of a map. codes: all maps of a layer or a runtime, in base64. Maps are decoded when they are shown.
const decoded = new Map();
function bytesOf(key, codes, at, size) {
  if (!decoded.has(key)) decoded.set(key, Uint8Array.from(atob(codes), (letter) => letter.charCodeAt(0)));
  return decoded.get(key).subarray(at * size, (at + 1) * size);
}

// Return a head's map as a function of query and key; undefined where there is no value, NaN where it is not finite.
function mapOf(values) {
  const { causal, positions } = data.attention;
  if (!causal) return (query, key) => values[query * positions + key];
  return (query, key) => (key <= query ? values[(query * (query + 1)) / 2 + key] : undefined);
}

function valuesOf(layer, head, runtime) {
  const { causal, positions, layers } = data.attention;
  const size = causal ? (positions * (positions + 1)) / 2 : positions ** 2;
  const golden = Float32Array.from(bytesOf(layer, layers[layer].golden, head, size), (code) => (code / 255) ** 2);
  const at = runtime.heads.indexOf(`${layer}.${head}`);
  if (at < 0) return { golden };
  const codes = new Int8Array(bytesOf(`of ${runtime.name}`, runtime.codes, at, size));
  const largest = runtime.largest[at];
  const value = (code) => (code === -128 ? NaN : Math.sign(code) * (code / 127) ** 2 * largest);
  const difference = Float64Array.from(codes, value);
  const found = golden.map((value, cell) => Math.min(1, Math.max(0, value + difference[cell])));
  return { golden, runtime: found, difference, largest };
}

// The shades of the theme: of a probability's root, and of a share of the largest difference from -1 to 1.
function shadesOf() {
  const empty = colour("surface");
  const ends = dark.matches ? ["#4292c6", "#f7fbff"] : ["#6baed6", "#08306b"];
  const signs = dark.matches ? ["#fdb863", "#b2abd2"] : ["#b35806", "#542788"];
  const probability = d3.piecewise(d3.interpolateRgb, [empty, ...ends]);
  const sign = d3.piecewise(d3.interpolateRgb, [signs[0], empty, signs[1]]);
  return {
    probability: (value) => probability(Math.sqrt(value)),
    difference: (share) => sign((1 + Math.sign(share) * Math.sqrt(Math.abs(share))) / 2),
  };
}

function openMaps(layer, head) {
  maps.layer = layer;
  maps.head = head;
  maps.cursor = { query: data.attention.positions - 1, key: 0 };
  const chosen = byId("head-runtime").value;
  fill(byId("map-runtime"), data.attention.runtimes.map((runtime, at) => [at, runtime.name]));
  byId("map-runtime").value = chosen;
  byId("maps-title").textContent = `Layer ${layer}, head ${head}`;
  maps.dialog.showModal();
  showMaps();
  byId("map-row").focus({ preventScroll: true });
}

// Compute the maps of the chosen runtime, and draw them.
function showMaps() {
  const runtime = data.attention.runtimes[byId("map-runtime").value];
  maps.name = runtime.name;
  maps.values = valuesOf(maps.layer, maps.head, runtime);
  const { difference } = maps.values;
  const lost = difference?.filter(Number.isNaN).length ?? 0;
  const rest = !difference
    ? " The page does not keep the difference of this head, so golden alone is shown."
    : lost ? ` ${lost} cells are not finite numbers and are grey.` : "";
  byId("maps-words").textContent = `${headWords(runtime, maps.layer, maps.head)}.${rest}`;
  paintMaps();
}

// Paint the maps in the colours of the theme, and draw them with their titles and scales.
function paintMaps() {
  const { probability, difference } = shadesOf();
  const { values, name } = maps;
  const largest = values.largest || 1;
  const scale = [probability, ["0", "1"], "probability, one scale for golden and the runtime"];
  const shown = {
    golden: ["golden", values.golden, probability, ...scale],
    runtime: [name, values.runtime, probability, ...scale],
    difference: [`${name} less golden`, values.difference, (value) => difference(value / largest),
      (share) => difference(2 * share - 1), [`−${short(values.largest ?? 0)}`, "0", `+${short(values.largest ?? 0)}`],
      "difference"],
  };
  for (const figure of maps.dialog.querySelectorAll("[data-map]")) {
    const [title, cells, shades, bar, words, note] = shown[figure.dataset.map];
    figure.hidden = !cells;
    if (!cells) continue;
    figure.querySelector("h4").textContent = title;
    figure.querySelector("canvas").setAttribute("aria-label", `Attention of ${title}`);
    maps.images[figure.dataset.map] = imageOf(data.attention.positions, mapOf(cells), shades);
    drawScale(figure.querySelector(".scale"), bar, words, note);
  }
  drawMaps();
}

// Return a canvas with one pixel for each cell.
function imageOf(positions, valueAt, shades) {
  const image = Object.assign(document.createElement("canvas"), { width: positions, height: positions });
  const context = image.getContext("2d");
  for (let query = 0; query < positions; query++) {
    for (let key = 0; key < positions; key++) {
      const value = valueAt(query, key);
      if (value === undefined) continue;
      context.fillStyle = Number.isNaN(value) ? "#888" : shades(value);
      context.fillRect(key, query, 1, 1);
    }
  }
  return image;
}

// Draw the painted maps, each with tokens along its axes and with the cursor.
function drawMaps() {
  for (const figure of maps.dialog.querySelectorAll("[data-map]")) {
    if (!figure.hidden) drawMap(figure.querySelector("canvas"), figure.dataset.map);
  }
  say();
}

function drawMap(canvas, which) {
  const { positions, tokens } = data.attention;
  const context = canvas.getContext("2d");
  const font = `${TEXT}px system-ui, sans-serif`;
  context.font = font;
  const names = tokens.map((token) => (token.length > 9 ? `${token.slice(0, 8)}…` : token));
  const margin = Math.ceil(Math.max(...names.map((name) => context.measureText(name).width))) + 8;
  const width = canvas.parentElement.clientWidth;
  const side = Math.max(width - margin - 2, 40), cell = side / positions;
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = (TOP + side + margin + 2) * ratio;
  canvas.style.height = `${TOP + side + margin + 2}px`;
  context.setTransform(ratio, 0, 0, ratio, 0, TOP * ratio);
  context.imageSmoothingEnabled = false;
  context.drawImage(maps.images[which], margin, 0, side, side);
  context.strokeStyle = colour("border");
  context.strokeRect(margin, 0, side, side);
  drawCursor(context, margin, side, cell);
  context.font = font;
  context.fillStyle = colour("text");
  context.textAlign = "right";
  context.textBaseline = "middle";
  const step = Math.ceil((TEXT + 3) / cell);
  names.forEach((name, at) => {
    if (at % step) return;
    const middle = (at + 0.5) * cell;
    context.fillText(name, margin - 4, middle);
    context.save();
    context.translate(margin + middle, side + 6);
    context.rotate(-Math.PI / 2);
    context.fillText(name, 0, 0);
    context.restore();
  });
  maps.places[which] = { margin, cell };
}

// Frame the row of the cursor's query and the column of its key.
function drawCursor(context, margin, side, cell) {
  const { query, key } = maps.cursor;
  context.strokeStyle = colour("cursor");
  context.lineWidth = 1.5;
  context.strokeRect(margin, query * cell, side, cell);
  context.strokeRect(margin + key * cell, 0, cell, side);
}

// Say in words what is under the cursor.
function say() {
  const { query, key } = maps.cursor;
  const { tokens } = data.attention;
  const read = (cells) => {
    const value = cells && mapOf(cells)(query, key);
    return value === undefined ? "–" : Number.isNaN(value) ? "not finite" : short(value);
  };
  const { golden, runtime, difference } = maps.values;
  const rest = difference ? `, ${maps.name} ${read(runtime)}, difference ${read(difference)}` : "";
  byId("maps-said").textContent =
    `query ${query} (${tokens[query]}), key ${key} (${tokens[key]}): golden ${read(golden)}${rest}`;
}

function moveCursor(query, key) {
  const last = data.attention.positions - 1;
  maps.cursor = { query: Math.min(Math.max(query, 0), last), key: Math.min(Math.max(key, 0), last) };
  drawMaps();
}

if (heads) {
  byId("maps-close").addEventListener("click", () => maps.dialog.close());
  byId("map-runtime").addEventListener("change", showMaps);
  byId("map-row").addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    const [down, across] = step;
    event.preventDefault();
    moveCursor(maps.cursor.query + down, maps.cursor.key + across);
  });
  for (const figure of maps.dialog.querySelectorAll("[data-map]")) {
    figure.querySelector("canvas").addEventListener("pointerdown", (event) => {
      const { margin, cell } = maps.places[figure.dataset.map];
      if (event.offsetX < margin) return;
      moveCursor(Math.floor((event.offsetY - TOP) / cell), Math.floor((event.offsetX - margin) / cell));
    });
  }
  dark.addEventListener("change", () => maps.dialog.open && paintMaps());
  addEventListener("resize", () => maps.dialog.open && drawMaps());
}
