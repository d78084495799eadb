// A figure with the line of its last minutes. The line's scale begins at zero.

import { element, setText, svg } from "/page/dom.js";

const WIDTH = 120;
const HEIGHT = 28;

export function makeFigure(title) {
  const line = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  line.append(svg("path", { class: "area" }), svg("path", { class: "line" }));
  return element("li", { class: "figure" }, element("span", { class: "name" }, title), element("b"), line);
}

export function drawFigure(figure, text, values, bad = false) {
  setText(figure.querySelector("b"), text);
  figure.classList.toggle("bad", bad);
  const top = Math.max(...values, 1e-9);
  const step = values.length > 1 ? WIDTH / (values.length - 1) : WIDTH;
  const points = values.map((value, n) => `${(n * step).toFixed(1)},${(HEIGHT - 1 - (value / top) * (HEIGHT - 3)).toFixed(1)}`);
  const [area, line] = figure.querySelectorAll("path");
  line.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
  area.setAttribute("d", points.length > 1 ? `M0,${HEIGHT}L${points.join("L")}L${WIDTH},${HEIGHT}Z` : "");
}
