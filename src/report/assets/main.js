// Connects the table with the view. The page's address names the selected slide: #slide=NAME.

const view = new View();
const slides = new Slides();
const table = new Table((row) => go(row));
let current = null;

function go(row) {
  const hash = `#slide=${encodeURIComponent(row.dataset.name)}`;
  if (location.hash !== hash) history.replaceState(null, "", hash);
  select(row);
}

function fromAddress() {
  if (!location.hash.startsWith("#slide=")) return null;
  let name = location.hash.slice("#slide=".length);
  try {
    name = decodeURIComponent(name);
  } catch {
    // The address has a percent sign that was not encoded; the name is used unchanged.
  }
  return table.rows.find((row) => row.dataset.name === name);
}

async function select(row) {
  if (current === row) return;
  current = row;
  table.mark(row);
  byId("view-title").textContent = row.dataset.name;
  say("Loading");
  try {
    const slide = await slides.load(row.dataset.folder);
    if (current === row) show(slide);
  } catch (error) {
    if (current === row) {
      view.show(null);
      tell([], []);
      say(`Cannot show this slide: ${error.message}. Run slidegrid report again.`);
    }
  }
}

function show({ facts, layers, picture }) {
  const drawing = layers.size ? new Drawing(layers, picture) : null;
  if (drawing) drawing.mpp = layers.mpp;
  view.show(drawing);
  tell(facts, layers.notes);
  const reason = facts.find(([name]) => name === "Why")?.[1] ?? "";
  const unseen = !layers.heat && !picture;
  say(unseen ? `There is nothing to show of this slide. ${reason}` : layers.heat ? "" : "No heatmap");
  const count = (number) => (number ? `(${number})` : "(none)");
  byId("count-detections").textContent = count(layers.detections.length);
  byId("count-truth").textContent = layers.truth ? "" : "(none)";
  byId("legend-left-out").hidden = !drawing?.leftOut;
  byId("legend-missing").hidden = !drawing?.missing;
}

function tell(facts, notes) {
  byId("facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const [term, text] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
  byId("notes").replaceChildren(...notes.map((note) => {
    const line = document.createElement("li");
    line.textContent = note;
    return line;
  }));
  byId("readout").textContent = "\u00a0";
}

function say(text) {
  byId("message").textContent = text;
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=range]):not([type=checkbox]), select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") table.step(1, false);
  if (event.key === "k") table.step(-1, false);
});

window.addEventListener("hashchange", () => {
  const row = fromAddress();
  if (row) select(row);
});

// The list begins with the worst slides, but the first slide shown is one with a complete heatmap.
const begin = (...conditions) => conditions.map((is) => table.rows.find(is)).find((row) => row);
const first = fromAddress() ?? begin(
  ({ dataset }) => dataset.heat && dataset.state === "done",
  ({ dataset }) => dataset.heat,
  () => true,
);
if (first) select(first);
