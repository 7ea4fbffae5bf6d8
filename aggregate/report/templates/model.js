// The page of a single model. It replaces the overview while the address ends in #model/NAME.
const overview = $("main");
const overviewTitle = document.title;

function makeCells(tag, texts) {
  return texts.map((text) => element(tag, tag === "th" ? { scope: "col" } : {}, text));
}

function fillFacts(list, facts) {
  list.replaceChildren(...facts.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]));
}

const verdictColour = (verdict) => `var(--verdict-${verdict.replaceAll(" ", "-")})`;

// Show one row per budget: accuracy, a bar of verdicts, and the number of images with each verdict.
function showResults(page) {
  const verdicts = data.verdicts.filter((verdict) => page.results.some((result) => result.verdicts[verdict]));
  $("keys").replaceChildren(...verdicts.map((verdict) => {
    const box = element("i", {});
    box.style.background = verdictColour(verdict);
    return element("span", {}, box, verdict);
  }));
  $("verdicts").tHead.replaceChildren(
    element("tr", {}, ...makeCells("th", ["Attack", "Budget", "Accuracy", "Share of images", ...verdicts, "Claims rejected", "Largest distance"])),
  );
  $("verdicts").tBodies[0].replaceChildren(...page.results.map((result) => {
    const bar = element("span", { class: "shares", "aria-hidden": "true" });
    for (const verdict of verdicts) {
      const piece = element("i", {});
      piece.style.width = `${(100 * (result.verdicts[verdict] ?? 0)) / result.images}%`;
      piece.style.background = verdictColour(verdict);
      bar.append(piece);
    }
    return element(
      "tr", {}, element("th", { scope: "row" }, result.attack), ...makeCells("td", [result.budget]),
      element("td", {}, element("b", {}, result.accuracy), " ", element("small", {}, result.interval)),
      element("td", {}, bar), ...makeCells("td", [...verdicts.map((verdict) => String(result.verdicts[verdict] ?? 0)), String(result.rejected), result.distance]),
    );
  }));
}

// Show cost and provenance of each pair of the model.
function showPairs(page) {
  $("pairs-of-model").replaceChildren(...page.pairs.map((pair) => {
    const results = page.results.filter((result) => result.pair === pair.id);
    const list = element("dl", { class: "facts" });
    fillFacts(list, [
      ["State", pair.reason ? `${pair.state}: ${pair.reason}` : pair.state],
      ["Time of the job", pair.seconds],
      ["Time of the attack", results.map((result) => `${result.budget}: ${result.seconds}`).join("; ")],
      ["Forward and backward passes", results.map((result) => `${result.budget}: ${result.forward} and ${result.backward}`).join("; ")],
      ["Deviations and notes", results[0]?.deviations],
      ["Device, host, precision", [pair.device, pair.host, pair.precision].filter(Boolean).join(", ")],
      ["Started", pair.started],
      ["Jobs", pair.jobs],
      ["Reason of hold", pair.holds],
      ["Code", pair.code],
      ["Container", pair.container],
      ["Pair", pair.id],
      ["Outcome file", pair.sha256 && `SHA-256 ${pair.sha256}`],
    ].filter(([, text]) => text));
    return element("div", { class: "pair" }, element("h4", {}, pair.attack), list);
  }));
}

// Show the pictures of the model's adversarial examples.
function showPictures(page) {
  $("pictures-of-model").hidden = !page.pictures.length;
  $("pictures").replaceChildren(...page.pictures.map((picture) => element(
    "figure", {}, element("img", { src: picture.source, alt: picture.alt }),
    element("figcaption", {}, element("b", {}, `${picture.attack}, ${picture.budget}`), " ", picture.caption),
  )));
}

// Show the scores of the model with this index, and its rank among the models that have each score.
function showScores(index) {
  const rows = data.scores.filter((score) => score.values[index] !== null).map((score) => {
    const known = score.values.filter((value) => value !== null);
    const rank = 1 + known.filter((value) => value > score.values[index]).length;
    return element(
      "tr", {}, element("th", { scope: "row" }, score.name), element("td", {}, score.group),
      element("td", { class: "number", "data-order": score.values[index] }, formatDecimal(score.values[index], 3)),
      element("td", { class: "number", "data-order": rank }, `${rank} of ${known.length}`),
    );
  });
  $("scores-of-model").tBodies[0].replaceChildren(...rows);
  $("scores-of-model").parentElement.hidden = !rows.length;
  $("no-scores").hidden = rows.length > 0;
}

function setModelLink(link, name, format) {
  link.hidden = name === undefined;
  if (link.hidden) return;
  link.href = modelAddress(name);
  link.textContent = format(name);
}

// Show the page that the address names: a model, or the overview if the model is unknown.
function showPageOfAddress() {
  const encoded = location.hash.startsWith("#model/") ? location.hash.slice(7) : null;
  let index = -1;
  try {
    index = encoded === null ? -1 : data.models.indexOf(decodeURIComponent(encoded));
  } catch {
    // An incomplete %-sequence is not the name of a model.
  }
  const wasModel = !$("model").hidden;
  $("model").hidden = index < 0;
  overview.hidden = index >= 0;
  document.body.classList.toggle("one-model", index >= 0);
  if (index < 0) {
    document.title = overviewTitle;
    if (wasModel && location.hash) $(location.hash.slice(1))?.scrollIntoView();
    dispatchEvent(new Event("overview"));
    return;
  }
  const name = data.models[index];
  const page = data.pages[index];
  document.title = `${name} – ${overviewTitle}`;
  $("model-heading").textContent = name;
  setModelLink($("previous"), data.models[index - 1], (other) => `← ${other}`);
  setModelLink($("next"), data.models[index + 1], (other) => `${other} →`);
  fillFacts($("about"), [["Clean accuracy", formatPercent(data.clean[index])], ["Rank", `${index + 1} of ${data.models.length}, in the order of the matrix`], ...page.about]);
  showResults(page);
  showPictures(page);
  showPairs(page);
  showScores(index);
  scrollTo(0, 0);
  $("model-heading").focus();
}
addEventListener("hashchange", showPageOfAddress);
