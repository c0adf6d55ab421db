// Starts Netron from its own package, as a host that asks for no consent, no update and no cookie, and reports nothing.
// The page's Content-Security-Policy is the second lock: the browser lets no request leave this server.

const asked = new URLSearchParams(location.search);
const home = new URL("../" + asked.get("netron") + "/", location.href);
const DARK = "(prefers-color-scheme: dark)";

const text = async (file) => (await fetch(new URL(file, home))).text();

const app = () => parent.document.querySelector("[data-testid=stApp]");

// Netron follows the system's theme; here it follows the app's, also when that changes.
function paint(sheets) {
  const ground = getComputedStyle(app()).backgroundColor;
  const [red, green, blue] = ground.match(/\d+/g).map(Number);
  const now = 0.3 * red + 0.59 * green + 0.11 * blue < 128 ? "all" : "not all";
  sheets.forEach(([style, css]) => { style.textContent = css.replaceAll(DARK, now).replaceAll("GROUND", ground); });
}

async function build() {
  const theirs = new DOMParser().parseFromString(await text("index.html"), "text/html");
  const css = [...theirs.querySelectorAll("style")].map((style) => style.textContent);
  const ours = ".default, .target, .welcome { background-color: GROUND }";
  const sheets = [await text("grapher.css"), ...css, ours].map((sheet) => [document.createElement("style"), sheet]);
  paint(sheets);
  document.head.append(...sheets.map(([style]) => style));
  document.body.replaceWith(document.adoptNode(theirs.body));
  new MutationObserver(() => paint(sheets)).observe(app(), { attributeFilter: ["class"] });
}

async function start() {
  await build();
  const [{ Host }, { View }] = await Promise.all([import(home + "browser.js"), import(home + "view.js")]);

  class LabHost extends Host {
    async view(view) { this._view = view; }
    exception() {}
    event() {}
    worker(id) { return new Worker(new URL(`${id}.js`, home), { type: "module" }); }
    openURL(url) { window.open(url, "_blank", "noopener"); }
    _url(file) { return new URL(file.replace(/^\.?\//, ""), home).href; }
  }

  window.__view__ = new View(new LabHost());
  await window.__view__.start();
}

start().catch((error) => { document.body.textContent = `The graph cannot be drawn: ${error.message}`; });
