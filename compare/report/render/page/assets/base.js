"use strict";

// What the other scripts of the page share: its data, colours of the theme, and ways to write numbers.

const data = JSON.parse(document.getElementById("data").textContent);

const dark = matchMedia("(prefers-color-scheme: dark)");

const byId = (id) => document.getElementById(id);

// Return the value of a colour of the style sheet.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Write a number with two significant digits.
function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 0.01 || size >= 1e5 ? value.toExponential(1) : String(Number(value.toPrecision(2)));
}

// Call `draw` now, and again when the theme changes or the width of an element does.
function redrawn(element, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    draw(width);
  }).observe(element);
  dark.addEventListener("change", () => width && draw(width));
}

// Fill a select element with options: pairs of a value and a text.
function fill(select, options) {
  select.replaceChildren(
    ...options.map(([value, text]) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = text;
      return option;
    }),
  );
}
