// The chart: any score against any accuracy. Its library is compressed in the page and decompressed once.
const chart = $("chart");
let points = []; // the models drawn, sorted by score
let selected = -1; // index of the point selected by keyboard

// The library interprets some tags and entities in labels, so names are escaped.
const escapeLabel = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\n", " ");

// Break a label into lines of at most `most` characters where it has a separator. A chart cuts longer axis titles.
function breakLabel(text, most) {
  const lines = [""];
  for (const part of text.split(/(?<=[ ,._-])/)) {
    if (lines.at(-1) && (lines.at(-1) + part).length > most) lines.push("");
    lines[lines.length - 1] += part;
  }
  return lines.map(escapeLabel).join("<br>");
}

async function loadLibrary() {
  const compressed = Uint8Array.from(atob($("plotly").textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text(); // the page's policy allows this script by its digest
  document.head.append(script);
}

function addOption(select, value, text) {
  select.append(element("option", { value }, text));
}

function fillChoices() {
  const groups = new Map();
  data.scores.forEach((score, index) => {
    if (!score.values.some((value) => value !== null)) return;
    const label = score.group || "average and categories";
    if (!groups.has(label)) groups.set(label, element("optgroup", { label }));
    addOption(groups.get(label), index, score.name);
  });
  $("score").append(...groups.values());
  addOption($("score"), "clean", "clean accuracy");
  data.budgets.forEach((budget, index) => addOption($("budget"), index, budget.label));
  // Start with the last budget at which some model is robust on some image.
  const first = data.budgets.findLastIndex((budget) => !budget.clean && budget.robust.some((share) => share > 0));
  $("budget").value = String(Math.max(first, 0));
}

function describeFit(fit) {
  if (!fit) return "";
  if (fit.spearman_r === undefined) return `No correlation: ${fit.note}.`;
  const interval = fit.spearman_low === undefined ? "" : ` (95 % interval ${formatDecimal(fit.spearman_low)} to ${formatDecimal(fit.spearman_high)})`;
  const given = fit.partial_r === undefined ? "" : ` Given clean accuracy: r = ${formatDecimal(fit.partial_r)}, t test q ${formatP(fit.partial_q)}.`;
  return `Spearman’s r = ${formatDecimal(fit.spearman_r)}${interval}, Spearman’s test p ${formatP(fit.spearman_p)}, q ${formatP(fit.spearman_q)}, R² = ${formatDecimal(fit.r2)}, n = ${fit.n} models.${given}`;
}

function drawChart() {
  const score = $("score").value === "clean" ? { name: "clean accuracy", values: data.clean } : data.scores[$("score").value];
  const budget = data.budgets[$("budget").value];
  const fit = score.fits?.[$("budget").value];
  points = data.models.map((name, index) => ({ name, x: score.values[index], y: budget.robust[index] })).filter((p) => p.x !== null && p.y !== null);
  points.sort((a, b) => a.x - b.x);
  selected = -1;
  $("selected").textContent = "";
  $("relation").textContent = points.length ? describeFit(fit) : "No model has both this score and this accuracy.";
  $("points").tBodies[0].replaceChildren(...points.map((p) => element(
    "tr", {}, element("th", { scope: "row" }, element("a", { href: modelAddress(p.name) }, p.name)),
    element("td", { class: "number", "data-order": p.x }, formatDecimal(p.x, 3)), element("td", { class: "number", "data-order": p.y }, formatPercent(p.y)),
  )));
  const text = points.map((p) => `<b>${escapeLabel(p.name)}</b><br>${escapeLabel(score.name)} ${formatDecimal(p.x, 3)}<br>${escapeLabel(budget.label)}: ${formatPercent(p.y)}`);
  const traces = [{ x: points.map((p) => p.x), y: points.map((p) => p.y), text, mode: "markers", hoverinfo: "text", marker: { size: points.length > 60 ? 7 : 10 } }];
  if (fit?.slope !== undefined && points.length) {
    const ends = [points[0].x, points.at(-1).x];
    traces.push({ x: ends, y: ends.map((x) => fit.intercept + fit.slope * x), mode: "lines", hoverinfo: "skip" });
  }
  const top = Math.max(0.1, ...points.map((p) => p.y));
  const [across, down] = [chart.clientWidth - 90, 370].map((pixels) => Math.max(8, Math.floor(pixels / 9)));
  const layout = {
    autosize: true, height: 460, margin: { l: 64, r: 16, t: 12, b: 60 }, showlegend: false, hovermode: "closest", dragmode: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: "inherit", size: 13 },
    xaxis: { title: { text: breakLabel(score.name, across), standoff: 10 }, zeroline: false, automargin: true },
    yaxis: {
      title: { text: breakLabel(budget.label, down), standoff: 10 }, range: [-0.04 * top, 1.06 * top], tickformat: ".0%",
      zeroline: false, automargin: true,
    },
    hoverlabel: { align: "left" },
  };
  return Plotly.react(chart, traces, layout, { displayModeBar: false, responsive: true });
}

function selectPoint(index) {
  selected = Math.min(Math.max(index, 0), points.length - 1);
  const p = points[selected];
  Plotly.Fx.hover(chart, [{ curveNumber: 0, pointNumber: selected }]);
  $("selected").textContent = `${p.name}: score ${formatDecimal(p.x, 3)}, accuracy ${formatPercent(p.y)}`;
}

function handleKey(event) {
  const targets = { ArrowRight: selected + 1, ArrowLeft: selected - 1, Home: 0, End: points.length - 1 };
  if (!points.length) return;
  if (event.key in targets) selectPoint(targets[event.key]);
  else if (event.key === "Enter" && selected >= 0) location.hash = modelAddress(points[selected].name);
  else return;
  event.preventDefault();
}

async function startChart() {
  if (!data.budgets.length) return $("explore").remove();
  fillChoices();
  await loadLibrary();
  await drawChart();
  $("score").addEventListener("change", drawChart);
  $("budget").addEventListener("change", drawChart);
  chart.addEventListener("keydown", handleKey);
  chart.on("plotly_click", ({ points: [{ curveNumber, pointNumber }] }) => {
    if (curveNumber === 0) location.hash = modelAddress(points[pointNumber].name);
  });
  addEventListener("overview", () => Plotly.Plots.resize(chart));
  addEventListener("beforeprint", () => Plotly.relayout(chart, { width: 640, autosize: false }));
  addEventListener("afterprint", () => Plotly.relayout(chart, { width: null, autosize: true }));
  chart.dataset.drawn = "";
}

showPageOfAddress();
startChart();
