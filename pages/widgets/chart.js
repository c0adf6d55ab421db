// Draws a Plotly figure in place: a redraw keeps zoom and legend, so new results and limits never lose what a person looks at.

let library; // one copy of Plotly for the whole page

function load(path) {
  // Streamlit may be served below a base path; its own script tells where.
  const own = document.querySelector('script[src*="static/js/"]');
  const root = own ? own.src.split("static/js/")[0] : new URL("./", document.baseURI).href;
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = root + path;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { library = undefined; reject(new Error("The chart library could not be loaded.")); };
    document.head.appendChild(script);
  });
  return library;
}

const app = () => document.querySelector("[data-testid=stApp]");

function isDark() {
  const [red, green, blue] = getComputedStyle(app()).backgroundColor.match(/\d+/g).map(Number);
  return 0.3 * red + 0.59 * green + 0.11 * blue < 128;
}

function inTheme(text, dark) {
  return isDark() ? Object.entries(dark).reduce((all, [from, to]) => all.replaceAll(from, to), text) : text;
}

function place(figure, id) {
  for (const trace of figure.data) {
    const at = (trace.customdata ?? []).findIndex((row) => row[0] === id);
    if (at >= 0) return { trace, at };
  }
}

function ring(figure, id, color) {
  const found = place(figure, id);
  if (!found) return [];
  const { trace, at } = found, { type, xaxis, yaxis } = trace; // of the same type: WebGL would cover SVG
  const size = [].concat(trace.marker.size)[Array.isArray(trace.marker.size) ? at : 0] + 12;
  const marker = { symbol: "circle-open", size, color, line: { width: 2.5 } };
  const where = { x: [trace.x[at]], y: [trace.y[at]], ...(trace.z ? { z: [trace.z[at]] } : {}) };
  return [{ type, xaxis, yaxis, mode: "markers", ...where, marker, hoverinfo: "skip", showlegend: false }];
}

function zoomed(box, layout) {
  // What a person, or the link, zoomed to; other axes begin anew.
  if (box.zoomOf !== undefined && box.zoomOf !== layout.uirevision) box.zoom = null;
  else if (box.zoomOf === undefined) box.zoom = box.lab.data.zoom;
  box.zoomOf = layout.uirevision;
  if (!box.zoom || !layout.xaxis) return layout;
  const [left, right, bottom, top] = box.zoom;
  return { ...layout, xaxis: { ...layout.xaxis, range: [left, right] }, yaxis: { ...layout.yaxis, range: [bottom, top] } };
}

async function draw(box) {
  const { data } = box.lab, Plotly = await load(data.plotly);
  const figure = JSON.parse(inTheme(data.figure, data.dark));
  const ink = data.ring && inTheme(data.ring, data.dark);
  const traces = [...figure.data, ...(data.chosen ?? []).flatMap((id) => ring(figure, id, ink))];
  const layout = data.zooms ? zoomed(box, figure.layout) : figure.layout;
  await Plotly.react(box, traces, { ...layout, autosize: true }, { ...data.config, responsive: true });
  if (!box.watched) watch(box, Plotly);
}

function tellZoom(box, change) {
  const keys = Object.keys(change).filter((key) => /^[xy]axis\d*\.(range|autorange)/.test(key));
  if (!box.lab.data.zooms || !keys.length) return;
  const whole = keys.some((key) => key.endsWith("autorange"));
  box.zoom = whole ? null : [...box.layout.xaxis.range, ...box.layout.yaxis.range];
  box.lab.setStateValue("zoomed", { ranges: box.zoom });
}

function watch(box, Plotly) {
  box.watched = [new ResizeObserver(() => box.offsetWidth && Plotly.Plots.resize(box)), new MutationObserver(() => show(box))];
  box.watched[0].observe(box);
  box.watched[1].observe(app(), { attributeFilter: ["class"] }); // another theme
  box.on("plotly_click", (event) => {
    const id = event.points.map((point) => [].concat(point.customdata ?? [])[0]).find(Boolean);
    if (id) box.lab.setTriggerValue(event.event?.shiftKey ? "marked" : "chosen", id);
  });
  box.on("plotly_relayout", (change) => tellZoom(box, change));
}

function show(box) {
  draw(box).catch((error) => { box.textContent = `${error.message} The table shows the same numbers.`; });
}

export default function (component) {
  const box = component.parentElement.querySelector(".lab-chart");
  box.lab = component;
  box.setAttribute("aria-label", component.data.alt);
  box.style.minHeight = `${component.data.height}px`;
  show(box);
  return () => { box.watched?.forEach((watcher) => watcher.disconnect()); window.Plotly?.purge(box); };
}
