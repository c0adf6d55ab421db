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
    const at = Array.isArray(trace.marker?.size) ? (trace.customdata ?? []).findIndex((row) => row[0] === id) : -1;
    if (at >= 0) return { x: trace.x[at], y: trace.y[at], size: trace.marker.size[at], trace };
  }
}

function ring(figure, id, color) {
  const at = place(figure, id);
  const marker = { symbol: "circle-open", size: at ? at.size + 12 : 1, color, line: { width: 2.5 } };
  const { type, xaxis, yaxis } = at?.trace ?? figure.data[0]; // WebGL would cover SVG
  return { type, xaxis, yaxis, mode: "markers", x: [at?.x], y: [at?.y], marker, hoverinfo: "skip", showlegend: false };
}

async function draw(box) {
  const { data } = box.lab, Plotly = await load(data.plotly);
  const figure = JSON.parse(inTheme(data.figure, data.dark));
  const traces = data.ring ? [...figure.data, ring(figure, data.chosen, inTheme(data.ring, data.dark))] : figure.data;
  await Plotly.react(box, traces, { ...figure.layout, autosize: true }, { ...data.config, responsive: true });
  if (!box.watched) watch(box, Plotly);
}

function watch(box, Plotly) {
  box.watched = [new ResizeObserver(() => box.offsetWidth && Plotly.Plots.resize(box)), new MutationObserver(() => show(box))];
  box.watched[0].observe(box);
  box.watched[1].observe(app(), { attributeFilter: ["class"] }); // another theme
  box.on("plotly_click", (event) => {
    const id = event.points.map((point) => point.customdata?.[0]).find(Boolean);
    if (id) box.lab.setTriggerValue("chosen", id);
  });
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
