"use strict";
// The report's text, tables and figures are whole without scripts: they add sorting, searching, a chart, model pages.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);

// An element with text and attributes; text is only ever set as text.
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)}\u00a0%`);
const decimal = (value, digits = 2) => (value === undefined || value === null ? "–" : value.toFixed(digits).replace("-", "−"));
const chance = (p) => (p === undefined ? "–" : p < 0.001 ? "< 0.001" : `= ${p.toFixed(p < 0.1 ? 3 : 2)}`);
const address = (model) => `#model/${encodeURIComponent(model)}`;

for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;

function sortable(table) {
  const headings = [...table.querySelectorAll("th[data-sort]")];
  headings.forEach((heading, column) => {
    const button = element("button", { type: "button" }, ...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const text = heading.dataset.sort === "text";
      const was = heading.getAttribute("aria-sort");
      const now = was ? (was === "ascending" ? "descending" : "ascending") : text ? "ascending" : "descending";
      const sign = now === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        if (text) return sign * x.textContent.localeCompare(y.textContent, "en", { numeric: true });
        const [p, q] = [x.dataset.order, y.dataset.order].map((order) => (order ? Number(order) : NaN));
        // Cells without a number stay below those that have one, whichever way the column is sorted.
        return isNaN(p) || isNaN(q) ? isNaN(p) - isNaN(q) : sign * (p - q);
      });
      table.tBodies[0].append(...rows);
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", now);
    });
  });
}
document.querySelectorAll("table.sortable").forEach(sortable);

// A search field shows the rows whose heading holds what is typed, and says how many those are.
for (const field of document.querySelectorAll("input[data-searches]")) {
  const rows = [...$(field.dataset.searches).querySelectorAll("tbody tr:not(.group)")];
  const told = $(field.getAttribute("aria-describedby"));
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      shown += !row.hidden;
    }
    told.textContent = wanted ? `${shown} of ${rows.length}` : "";
  });
}

addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open], .on-screen)")) {
    folded.open = true;
    folded.dataset.folded = "";
  }
});
addEventListener("afterprint", () => {
  for (const opened of document.querySelectorAll("details[data-folded]")) {
    opened.open = false;
    delete opened.dataset.folded;
  }
});
