"use strict";

// The charts. Each has a function that returns the options of Plot for its data and a width.

const charts = {
  gaps(found, width) {
    const statistic = byId("statistic").value;
    const shown = found.rows.flatMap((row) =>
      row.errors
        .filter((error) => error.statistic === statistic)
        .map((error) => ({ ...error, row: row.name, limit: found.limits[statistic][row.weak ? "weak" : "local"] })),
    );
    const limits = found.rows
      .map((row) => ({ row: row.name, limit: found.limits[statistic][row.weak ? "weak" : "local"] }))
      .filter((each) => each.limit !== null);
    const positive = shown.map((error) => error.value).filter((value) => value > 0);
    const low = Math.min(0.1, ...positive.map((value) => Math.max(value, 1e-3)));
    const high = Math.max(10, ...positive) * 2;
    const height = (error) => Math.max(error.value, low);
    const powers = d3.range(Math.ceil(Math.log10(low)), Math.floor(Math.log10(high)) + 1);
    const tens = powers.filter((power) => power % Math.ceil(powers.length / 4) === 0).map((power) => 10 ** power);
    const place = (layer) => (layer < 0 ? "embedding" : layer < found.layers ? `layer ${layer}` : "output");
    const title = (error) => `${error.tensor} (${place(error.layer)}): ${short(error.value)} floors`;
    const beyond = (error) => error.limit !== null && error.value > error.limit;
    const step = Math.ceil(found.layers / Math.max(1, Math.floor(width / 40)));
    const layers = [...Array(found.layers).keys()].filter((layer) => layer % step === 0);
    return {
      height: 70 + 92 * found.rows.length,
      marginLeft: 52,
      marginRight: 16,
      marginTop: 24,
      marginBottom: 46,
      x: {
        domain: [-1.5, found.layers + 0.5],
        ticks: layers,
        tickFormat: String,
        label: "layer",
        labelAnchor: "left",
        labelArrow: "none",
        labelOffset: 38,
      },
      y: { type: "log", domain: [low, high], ticks: tens, tickFormat: short, label: null, grid: true },
      fy: { domain: found.rows.map((row) => row.name), axis: null, padding: 0.28 },
      marks: [
        Plot.frame({ stroke: "currentColor", strokeOpacity: 0.25 }),
        Plot.ruleY(limits, { fy: "row", y: "limit", stroke: colour("bad"), strokeDasharray: "5 3" }),
        Plot.text(limits, { fy: "row", y: "limit", text: (each) => `limit ${each.limit}`, frameAnchor: "right",
          textAnchor: "end", lineAnchor: "bottom", dx: -4, dy: -2, fill: colour("bad") }),
        Plot.dot(shown.filter((error) => !beyond(error)), { fy: "row", x: "layer", y: height, r: 3.5,
          fill: colour("accent"), title }),
        Plot.dot(shown.filter(beyond), { fy: "row", x: "layer", y: height, r: 5, symbol: "times", strokeWidth: 2.5,
          stroke: colour("bad"), title }),
        Plot.text(found.rows, { fy: "name", text: (row) => `${row.name}: ${row.words}`, frameAnchor: "top-left",
          dy: -15, fontWeight: 600, textOverflow: "ellipsis-end", lineWidth: (width - 70) / 13 }),
      ],
    };
  },

  latency: (found, width) => times(found, width),
  decoding: (found, width) => times(found, width),

  front(found, width) {
    const room = Math.min(230, Math.max(120, width * 0.33));
    const xs = found.points.flatMap(({ time }) => [time.low ?? time.estimate, time.high ?? time.estimate]);
    const ys = found.points.map((point) => point.error);
    const wide = Math.max(...xs) > 10 * Math.min(...xs);
    const domain = [Math.min(...ys) / 2, Math.max(...ys) * 2];
    const height = Math.max(300, 26 * found.points.length + 90);
    const marginTop = 16, marginBottom = 46, span = height - marginTop - marginBottom;
    const log = (error) => Math.log(error / domain[0]) / Math.log(domain[1] / domain[0]);
    const labels = spread(found.points.map((point) => ({ ...point, at: (1 - log(point.error)) * span })), 19, span)
      .map((label) => ({ ...label, y: domain[0] * (domain[1] / domain[0]) ** (1 - label.at / span) }));
    const edge = wide ? Math.max(...xs) * 1.15 : Math.max(...xs) + 0.04 * (Math.max(...xs) - Math.min(0, ...xs));
    const best = found.points.filter((point) => point.front).sort((a, b) => a.time.estimate - b.time.estimate);
    const name = (point) => point.name + (point.trusted ? "" : " (not trusted)");
    const title = (point) => `${name(point)}: ${short(point.time.estimate)} of the time, error ${point.words}`;
    return {
      height,
      marginTop,
      marginBottom,
      marginLeft: 56,
      marginRight: room,
      x: { type: wide ? "log" : "linear", domain: [wide ? Math.min(...xs) / 1.15 : 0, edge], ticks: 4, grid: true,
        tickFormat: short, label: `time over ${found.baseline}'s`, labelAnchor: "left", labelArrow: "none",
        labelOffset: 38 },
      y: { type: "log", domain, ticks: 4, tickFormat: short, grid: true, labelArrow: "none",
        label: `largest ${found.word} error, x rounding` },
      marks: [
        Plot.ruleX([1], { strokeOpacity: 0.5 }),
        Plot.line(best, { x: (point) => point.time.estimate, y: "error", curve: "step-after", strokeDasharray: "5 4",
          stroke: colour("muted") }),
        Plot.link(labels, { x1: (label) => label.time.estimate, y1: "error", x2: edge, y2: "y", strokeOpacity: 0.25 }),
        Plot.ruleY(found.points.filter((point) => point.time.low), { x1: (point) => point.time.low,
          x2: (point) => point.time.high, y: "error", stroke: colour("accent"), strokeWidth: 2 }),
        Plot.dot(found.points.filter((point) => point.trusted), { x: (point) => point.time.estimate, y: "error", r: 5,
          fill: colour("accent"), title }),
        Plot.dot(found.points.filter((point) => !point.trusted), { x: (point) => point.time.estimate, y: "error", r: 6,
          symbol: "times", strokeWidth: 2.5, stroke: colour("bad"), title }),
        Plot.text(labels, { x: edge, y: "y", text: name, textAnchor: "start", dx: 5, textOverflow: "ellipsis-end",
          lineWidth: (room - 8) / 13, fill: (label) => (label.trusted ? "currentColor" : colour("bad")) }),
      ],
    };
  },

  phases(found) {
    const most = Math.max(...found.rows.map((row) => row.seconds));
    return {
      height: 50 + 42 * found.rows.length,
      marginLeft: 4,
      marginRight: 12,
      marginTop: 4,
      marginBottom: 46,
      x: { domain: [0, most], ticks: 4, label: "s", labelArrow: "none", labelOffset: 38, grid: true },
      y: { domain: found.rows.map((row) => row.name), axis: null, padding: 0 },
      marks: [
        Plot.barX(found.rows, { x: "seconds", y: "name", insetTop: 24, insetBottom: 4, fill: colour("accent") }),
        Plot.text(found.rows, { y: "name", text: (row) => `${row.name}: ${row.seconds.toFixed(1)} s`,
          frameAnchor: "left", textAnchor: "start", dy: -9 }),
        Plot.ruleX([0]),
      ],
    };
  },
};

// The chart of latency and of decoding: a row for each runtime with samples, ratio and interval.
function times(found, width) {
  const samples = found.rows.flatMap((row) => row.samples.map((sample) => ({ row: row.name, sample })));
  const ratios = found.rows.filter((row) => row.ratio);
  const ends = ratios.flatMap((row) => [row.ratio.low, row.ratio.high]);
  const values = [1, ...ends, ...samples.map((each) => each.sample)];
  const domain = [Math.min(...values) / 1.05, Math.max(...values) * 1.05];
  const all = d3.scaleLog(domain, [0, 1]).ticks(5);
  const ticks = all.filter((_, at) => at % Math.ceil(all.length / (width / 60)) === 0);
  return {
    height: 50 + 58 * found.rows.length,
    marginLeft: 8,
    marginRight: 12,
    marginTop: 4,
    marginBottom: 46,
    x: { type: "log", domain, ticks, tickFormat: short, grid: true, labelAnchor: "left", labelArrow: "none",
      labelOffset: 38, label: `time over ${found.baseline}'s, logarithmic` },
    y: { type: "band", domain: found.rows.map((row) => row.name), axis: null, padding: 0 },
    marks: [
      found.control && Plot.rectX([found.control], { x1: "low", x2: "high", fill: "currentColor", fillOpacity: 0.13 }),
      Plot.ruleX([1], { stroke: "currentColor", strokeOpacity: 0.7 }),
      Plot.tickX(samples, { x: "sample", y: "row", insetTop: 27, insetBottom: 5, stroke: colour("muted"),
        strokeOpacity: 0.55 }),
      Plot.ruleY(ratios, { x1: (row) => row.ratio.low, x2: (row) => row.ratio.high, y: "name", dy: 11, strokeWidth: 3,
        stroke: colour("accent") }),
      Plot.dot(ratios, { x: (row) => row.ratio.estimate, y: "name", dy: 11, r: 5.5, fill: colour("accent"),
        stroke: colour("surface"), title: (row) => `${row.name}: ${row.words}` }),
      Plot.text(found.rows, { y: "name", text: (row) => `${row.name}, ${row.ms} ms: ${row.words}`, frameAnchor: "left",
        textAnchor: "start", dy: -16, textOverflow: "ellipsis-end", lineWidth: (width - 20) / 13 }),
    ].filter(Boolean),
  };
}

// Move labels apart, so that there are `gap` pixels between them. at: the place of a label, from 0 to `span`.
function spread(labels, gap, span) {
  const sorted = labels.sort((a, b) => a.at - b.at);
  let next = 0;
  for (const label of sorted) {
    label.at = Math.max(label.at, next);
    next = label.at + gap;
  }
  let most = span;
  for (const label of sorted.reverse()) {
    label.at = Math.min(label.at, most);
    most = label.at - gap;
  }
  return sorted;
}

// Draw a chart into its figure.
function draw(figure, width) {
  const name = figure.dataset.chart;
  const svg = Plot.plot({ width, style: { fontSize: "13px" }, ...charts[name](data.charts[name], width) });
  svg.querySelector("style")?.remove(); // the policy of the page forbids it; the style sheet has its rules
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-labelledby", `chart-${name}`);
  figure.querySelector(".drawing").replaceChildren(svg);
}

if (data.charts.gaps) {
  fill(byId("statistic"), Object.entries(data.charts.gaps.statistics));
  byId("statistic").value = data.charts.gaps.first;
}
for (const figure of document.querySelectorAll("[data-chart]")) {
  const drawing = figure.querySelector(".drawing");
  redrawn(drawing, (width) => draw(figure, width));
  figure.querySelector("select")?.addEventListener("change", () => draw(figure, drawing.clientWidth));
}
