// The chart: any score against any accuracy. Its library is packed in the page and unpacked when first needed.
const chart = $("chart");
let shown = []; // the models drawn, by score
let pointed = -1;

// The library reads a few tags and entities in labels; a name must stay what it is.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\n", " ");

async function library() {
  const packed = Uint8Array.from(atob($("plotly").textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text(); // the page's policy knows its digest, and no other
  document.head.append(script);
}

function option(select, value, text) {
  select.append(element("option", { value }, text));
}

function choices() {
  const groups = new Map();
  data.scores.forEach((score, at) => {
    if (!score.values.some((value) => value !== null)) return;
    const label = score.group || "average and categories";
    if (!groups.has(label)) groups.set(label, element("optgroup", { label }));
    option(groups.get(label), at, score.name);
  });
  $("score").append(...groups.values());
  option($("score"), "clean", "clean accuracy");
  data.budgets.forEach((budget, at) => option($("budget"), at, budget.label));
  // The last budget at which the models still differ says most.
  const telling = data.budgets.findLastIndex((budget) => !budget.clean && budget.robust.some((share) => share > 0));
  $("budget").value = String(Math.max(telling, 0));
}

function relation(fit) {
  if (!fit) return "";
  if (fit.spearman_r === undefined) return `No correlation: ${fit.note}.`;
  const ends = fit.spearman_low === undefined ? "" : ` (95 % ${decimal(fit.spearman_low)} to ${decimal(fit.spearman_high)})`;
  const given = fit.partial_r === undefined ? "" : ` Given clean accuracy: r = ${decimal(fit.partial_r)}, q ${chance(fit.partial_q)}.`;
  return `Spearman’s r = ${decimal(fit.spearman_r)}${ends}, p ${chance(fit.spearman_p)}, q ${chance(fit.spearman_q)}, R² = ${decimal(fit.r2)}, n = ${fit.n}.${given}`;
}

function draw() {
  const score = $("score").value === "clean" ? { name: "clean accuracy", values: data.clean } : data.scores[$("score").value];
  const budget = data.budgets[$("budget").value];
  const fit = score.fits?.[$("budget").value];
  shown = data.models.map((name, at) => ({ name, x: score.values[at], y: budget.robust[at] })).filter((p) => p.x !== null && p.y !== null);
  shown.sort((a, b) => a.x - b.x);
  pointed = -1;
  $("pointed").textContent = "";
  $("relation").textContent = shown.length ? relation(fit) : "No model has both this score and this accuracy.";
  $("points").tBodies[0].replaceChildren(...shown.map((p) => element(
    "tr", {}, element("th", { scope: "row" }, element("a", { href: address(p.name) }, p.name)),
    element("td", { class: "number", "data-order": p.x }, decimal(p.x, 3)), element("td", { class: "number", "data-order": p.y }, percent(p.y)),
  )));
  const texts = shown.map((p) => `<b>${plain(p.name)}</b><br>${plain(score.name)} ${decimal(p.x, 3)}<br>${plain(budget.label)}: ${percent(p.y)}`);
  const traces = [{ x: shown.map((p) => p.x), y: shown.map((p) => p.y), text: texts, mode: "markers", hoverinfo: "text", marker: { size: shown.length > 60 ? 7 : 10 } }];
  if (fit?.slope !== undefined && shown.length) {
    const ends = [shown[0].x, shown.at(-1).x];
    traces.push({ x: ends, y: ends.map((x) => fit.intercept + fit.slope * x), mode: "lines", hoverinfo: "skip" });
  }
  const top = Math.max(0.1, ...shown.map((p) => p.y));
  const layout = {
    autosize: true, height: 460, margin: { l: 64, r: 16, t: 12, b: 52 }, showlegend: false, hovermode: "closest", dragmode: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: "inherit", size: 13 },
    xaxis: { title: { text: plain(score.name) }, zeroline: false },
    yaxis: { title: { text: plain(budget.label) }, range: [-0.04 * top, 1.06 * top], tickformat: ".0%", zeroline: false },
    hoverlabel: { align: "left" },
  };
  return Plotly.react(chart, traces, layout, { displayModeBar: false, responsive: true });
}

function point(at) {
  pointed = Math.min(Math.max(at, 0), shown.length - 1);
  const p = shown[pointed];
  Plotly.Fx.hover(chart, [{ curveNumber: 0, pointNumber: pointed }]);
  $("pointed").textContent = `${p.name}: score ${decimal(p.x, 3)}, accuracy ${percent(p.y)}`;
}

function keys(event) {
  const steps = { ArrowRight: pointed + 1, ArrowLeft: pointed - 1, Home: 0, End: shown.length - 1 };
  if (!shown.length) return;
  if (event.key in steps) point(steps[event.key]);
  else if (event.key === "Enter" && pointed >= 0) location.hash = address(shown[pointed].name);
  else return;
  event.preventDefault();
}

async function explore() {
  if (!data.budgets.length) return $("explore").remove();
  choices();
  await library();
  await draw();
  $("score").addEventListener("change", draw);
  $("budget").addEventListener("change", draw);
  chart.addEventListener("keydown", keys);
  chart.on("plotly_click", ({ points: [{ curveNumber, pointNumber }] }) => {
    if (curveNumber === 0) location.hash = address(shown[pointNumber].name);
  });
  addEventListener("overview", () => Plotly.Plots.resize(chart));
  addEventListener("beforeprint", () => Plotly.relayout(chart, { width: 640, autosize: false }));
  addEventListener("afterprint", () => Plotly.relayout(chart, { width: null, autosize: true }));
  chart.dataset.drawn = "";
}

route();
explore();
