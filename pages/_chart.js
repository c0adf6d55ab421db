// Draws a Plotly figure in place: a redraw keeps zoom and legend, so live results and limits never lose what a person looks at.

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

function place(figure, id) {
  for (const trace of figure.data) {
    const at = (trace.customdata ?? []).findIndex((row) => row[0] === id);
    if (at >= 0) return { x: trace.x[at], y: trace.y[at], size: trace.marker.size[at] ?? trace.marker.size };
  }
}

function ring(figure, id, color) {
  const at = place(figure, id);
  const marker = { symbol: "circle-open", size: at ? at.size + 12 : 1, color, line: { width: 2.5 } };
  return { type: "scatter", mode: "markers", x: [at?.x], y: [at?.y], marker, hoverinfo: "skip", showlegend: false };
}

export default function ({ parentElement, data, setTriggerValue }) {
  const box = parentElement.querySelector(".lab-chart");
  const figure = JSON.parse(data.figure);
  box.setAttribute("aria-label", data.alt);
  if (figure.layout.height) box.style.minHeight = figure.layout.height + "px";

  load(data.plotly).then((Plotly) => {
    const traces = data.ring ? [...figure.data, ring(figure, data.chosen, data.ring)] : figure.data;
    return Plotly.react(box, traces, { ...figure.layout, autosize: true }, { ...data.config, responsive: true }).then(() => {
      box.removeAllListeners?.("plotly_click");
      box.on("plotly_click", (event) => {
        const id = event.points.map((point) => point.customdata?.[0]).find(Boolean);
        if (id) setTriggerValue("chosen", id);
      });
      if (!box.resizer) {
        box.resizer = new ResizeObserver(() => box.offsetWidth && Plotly.Plots.resize(box));
        box.resizer.observe(box);
      }
    });
  }).catch((error) => { box.textContent = `${error.message} The table shows the same numbers.`; });

  return () => { box.resizer?.disconnect(); window.Plotly?.purge(box); };
}
