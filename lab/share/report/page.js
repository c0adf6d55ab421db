"use strict";
// Draws the figures in the reader's theme, and sorts tables by a click on a column's name.

const dark = matchMedia("(prefers-color-scheme: dark)");

async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function library() {
  const script = document.createElement("script");
  script.textContent = await unpacked(document.getElementById("plotly").textContent);
  document.head.append(script);
  return window.Plotly;
}

function inTheme(text, colors) {
  return dark.matches ? Object.entries(colors).reduce((all, [from, to]) => all.replaceAll(from, to), text) : text;
}

async function draw(Plotly, boxes, texts, page) {
  for (const [n, box] of boxes.entries()) {
    const figure = JSON.parse(inTheme(texts[n], page.dark));
    await Plotly.react(box, figure.data, { ...figure.layout, autosize: true }, { ...page.config, responsive: true });
  }
}

function find(id) {
  const row = document.getElementById(`row-${id}`);
  document.querySelector("tr.found")?.classList.remove("found");
  row?.classList.add("found");
  row?.scrollIntoView({ block: "center" });
}

async function figures() {
  const data = document.getElementById("figure-data");
  if (!data) return;
  const page = JSON.parse(data.textContent), texts = page.figures.map((figure) => JSON.stringify(figure));
  const boxes = [...document.querySelectorAll("[data-figure]")], Plotly = await library();
  boxes.forEach((box) => box.replaceChildren());
  await draw(Plotly, boxes, texts, page);
  boxes.forEach((box) => box.on("plotly_click", (event) => find(event.points[0].customdata?.[0])));
  dark.addEventListener("change", () => draw(Plotly, boxes, texts, page));
}

function key(row, column) {
  const cell = row.cells[column], value = cell.dataset.v ?? cell.textContent.trim();
  return value === "" ? null : isNaN(value) ? value : Number(value);
}

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null); // what is missing comes last, either way
  return typeof a === typeof b && typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}

function sort(table, head, column) {
  const down = head.getAttribute("aria-sort") === "ascending", body = table.tBodies[0];
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].map((row) => [key(row, column), row]);
  rows.sort(([a], [b]) => (down && a !== null && b !== null ? compare(b, a) : compare(a, b)));
  body.append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head, column));
    head.append(button);
  });
}

figures().catch((error) => {
  console.error(error);
  document.querySelectorAll("[data-figure]").forEach((box) => {
    box.textContent = "This browser could not draw the figure (browsers of 2023 and later can). The tables have the same numbers.";
  });
});
