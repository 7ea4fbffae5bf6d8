// A page a model: shown instead of the overview while the address ends in #model/NAME.
const overview = $("main");
const title = document.title;

function cells(tag, texts) {
  return texts.map((text) => element(tag, tag === "th" ? { scope: "col" } : {}, text));
}

function facts(list, lines) {
  list.replaceChildren(...lines.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]));
}

const color = (part) => `var(--part-${part.replaceAll(" ", "-")})`;

function verdicts(page) {
  const names = data.parts.filter((part) => page.verdicts.some((verdict) => verdict.parts[part]));
  $("keys").replaceChildren(...names.map((part) => {
    const box = element("i", {});
    box.style.background = color(part);
    return element("span", {}, box, part);
  }));
  $("verdicts").tHead.replaceChildren(
    element("tr", {}, ...cells("th", ["Attack", "Budget", "Accuracy", "What became of the images", ...names, "Claims rejected", "Largest distance"])),
  );
  $("verdicts").tBodies[0].replaceChildren(...page.verdicts.map((verdict) => {
    const bar = element("span", { class: "parts", "aria-hidden": "true" });
    for (const part of names) {
      const piece = element("i", {});
      piece.style.width = `${(100 * (verdict.parts[part] ?? 0)) / verdict.images}%`;
      piece.style.background = color(part);
      bar.append(piece);
    }
    return element(
      "tr", {}, element("th", { scope: "row" }, verdict.attack), ...cells("td", [verdict.budget]),
      element("td", {}, element("b", {}, verdict.accuracy), " ", element("small", {}, verdict.interval)),
      element("td", {}, bar), ...cells("td", [...names.map((part) => String(verdict.parts[part] ?? 0)), String(verdict.rejected), verdict.distance]),
    );
  }));
}

function pairs(page) {
  $("pairs-of-model").replaceChildren(...page.pairs.map((pair) => {
    const mine = page.verdicts.filter((verdict) => verdict.pair === pair.id);
    const list = element("dl", { class: "facts" });
    facts(list, [
      ["State", pair.reason ? `${pair.state}: ${pair.reason}` : pair.state],
      ["Time, whole job", pair.seconds],
      ["Attack alone", mine.map((verdict) => `${verdict.budget} ${verdict.seconds}`).join("; ")],
      ["Passes, forward and backward", mine.map((verdict) => `${verdict.budget} ${verdict.forward} and ${verdict.backward}`).join("; ")],
      ["Deviations and notes", mine[0]?.deviations],
      ["Ran on", [pair.device, pair.host, pair.precision].filter(Boolean).join(", ")],
      ["Started", pair.started],
      ["Jobs", pair.tries ? `${pair.tries}, evicted ${pair.evictions} times` : ""],
      ["Held because", pair.holds],
      ["Code", pair.code],
      ["Container", pair.container],
      ["Pair", pair.id],
      ["Outcome file", pair.sha256 && `SHA-256 ${pair.sha256}`],
    ].filter(([, text]) => text));
    return element("div", { class: "pair" }, element("h4", {}, pair.attack), list);
  }));
}

function scores(at) {
  const rows = data.scores.filter((score) => score.values[at] !== null).map((score) => {
    const known = score.values.filter((value) => value !== null);
    const rank = 1 + known.filter((value) => value > score.values[at]).length;
    return element(
      "tr", {}, element("th", { scope: "row" }, score.name), element("td", {}, score.group),
      element("td", { class: "number", "data-order": score.values[at] }, decimal(score.values[at], 3)),
      element("td", { class: "number", "data-order": rank }, `${rank} of ${known.length}`),
    );
  });
  $("scores-of-model").tBodies[0].replaceChildren(...rows);
  $("scores-of-model").parentElement.hidden = !rows.length;
  $("no-scores").hidden = rows.length > 0;
}

function way(link, name, mark) {
  link.hidden = name === undefined;
  if (link.hidden) return;
  link.href = address(name);
  link.textContent = mark(name);
}

function route() {
  const asked = location.hash.startsWith("#model/") ? location.hash.slice(7) : null;
  let at = -1;
  try {
    at = asked === null ? -1 : data.models.indexOf(decodeURIComponent(asked));
  } catch {
    // A half-written %-sequence names no model.
  }
  const was = !$("model").hidden;
  $("model").hidden = at < 0;
  overview.hidden = at >= 0;
  document.body.classList.toggle("one-model", at >= 0);
  if (at < 0) {
    document.title = title;
    if (was && location.hash) $(location.hash.slice(1))?.scrollIntoView();
    dispatchEvent(new Event("overview"));
    return;
  }
  const name = data.models[at];
  const page = data.pages[at];
  document.title = `${name} – ${title}`;
  $("model-heading").textContent = name;
  way($("previous"), data.models[at - 1], (other) => `← ${other}`);
  way($("next"), data.models[at + 1], (other) => `${other} →`);
  facts($("about"), [["Clean accuracy", percent(data.clean[at])], ["Place", `${at + 1} of ${data.models.length}, in the matrix’s order`], ...page.about]);
  verdicts(page);
  pairs(page);
  scores(at);
  scrollTo(0, 0);
  $("model-heading").focus();
}
addEventListener("hashchange", route);
