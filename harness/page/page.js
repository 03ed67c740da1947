"use strict";
// Charts take the page's colours, and are drawn again when those change.
const specs = JSON.parse(document.getElementById("page-specs").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const COLOURS = {
  light: ["#0072B2", "#D55E00", "#009E73", "#B4568F", "#56B4E9", "#B58900", "#6B6B6B", "#7A4FB5"],
  dark: ["#56B4E9", "#F08A3C", "#2FBF9B", "#E08FC0", "#A8D4F5", "#F0E442", "#B5B5B5", "#B79BE8"],
};
const VERDICTS = {
  light: {"better": "#0072B2", "worse": "#D55E00", "no difference found": "#6B6B6B",
    "not decided": "#B58900", "not tested": "#9B6FC4"},
  dark: {"better": "#56B4E9", "worse": "#F08A3C", "no difference found": "#B5B5B5",
    "not decided": "#F0E442", "not tested": "#B79BE8"},
};

function config(theme) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const [text, quiet, line] = ["--text", "--quiet", "--line"].map(colour);
  const font = "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif";
  const first = COLOURS[theme][0];
  return {
    background: "transparent", font, view: {stroke: line},
    axis: {labelColor: text, titleColor: quiet, gridColor: line, domainColor: line,
      tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal"},
    legend: {labelColor: text, titleColor: quiet, labelFontSize: 12, symbolSize: 80, symbolOpacity: 1},
    range: {category: COLOURS[theme]},
    mark: {color: first}, point: {color: first}, line: {color: first}, rule: {color: first},
    circle: {color: first}, text: {color: text},
  };
}

// A verdict has one colour in all charts.
function withVerdicts(spec, theme) {
  return JSON.parse(JSON.stringify(spec), (key, value) => {
    if (key === "color" && value && value.field === "verdict") {
      const names = value.sort;
      return {...value, scale: {domain: names, range: names.map((name) => VERDICTS[theme][name])}};
    }
    return value;
  });
}

function draw() {
  const theme = dark.matches ? "dark" : "light";
  for (const [id, spec] of Object.entries(specs)) {
    const place = document.getElementById(id);
    // Thousands of points are drawn as one picture.
    const many = Object.values(spec.datasets || {}).some((rows) => rows.length > 1500);
    const values = spec.data && spec.data.values || [];
    vegaEmbed(place, withVerdicts(spec, theme), {
      actions: false, config: config(theme), tooltip: {theme},
      renderer: many || values.length > 1500 ? "canvas" : "svg",
    }).catch((error) => { place.textContent = error.message; console.error(error); });
  }
}
draw();
dark.addEventListener("change", draw);

// Tables sort by the number that a cell begins with, or by its text.
function key(cell) {
  const text = cell.textContent.trim().replaceAll("−", "-").replaceAll(",", "");
  const number = parseFloat(text.replace(/^[<>]/, ""));
  return Number.isNaN(number) ? (text === "–" ? null : text) : number;
}

function compare(a, b, way) {
  if (a === null || b === null) return (a === null) - (b === null);  // blanks last, either way
  if (typeof a === typeof b) return way * (a < b ? -1 : a > b ? 1 : 0);
  return typeof a === "number" ? -1 : 1;
}

for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const first = [...body.rows];
  table.querySelectorAll("th").forEach((head, column) => {
    head.tabIndex = 0;
    head.title = "sort";
    const sort = () => {
      const was = head.getAttribute("aria-sort");
      const way = {null: "descending", descending: "ascending", ascending: null}[was];
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      if (way) head.setAttribute("aria-sort", way);
      const sign = way === "ascending" ? 1 : -1;
      const rows = way ? [...first].sort((a, b) =>
        compare(key(a.cells[column]), key(b.cells[column]), sign)) : first;
      body.append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}
for (const one of document.querySelectorAll("details")) {
  addEventListener("beforeprint", () => { one.open = true; });
}
