"use strict";
// The page is complete without scripts. The scripts add sorting, searching, a chart, and pages of single models.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);

// Return a new element. Text is always added as text, never as markup.
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const formatPercent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)}\u00a0%`);
const formatDecimal = (value, digits = 2) => (value === undefined || value === null ? "–" : value.toFixed(digits).replace("-", "−"));
const formatP = (p) => (p === undefined ? "–" : p < 0.001 ? "< 0.001" : `= ${p.toFixed(p < 0.1 ? 3 : 2)}`);
const modelAddress = (model) => `#model/${encodeURIComponent(model)}`;

for (const scripted of document.querySelectorAll(".scripted")) scripted.hidden = false;

// Make a table sortable by a button in each heading that has data-sort.
function makeSortable(table) {
  const headings = [...table.querySelectorAll("th[data-sort]")];
  headings.forEach((heading, column) => {
    const button = element("button", { type: "button" }, ...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const isText = heading.dataset.sort === "text";
      const before = heading.getAttribute("aria-sort");
      const order = before ? (before === "ascending" ? "descending" : "ascending") : isText ? "ascending" : "descending";
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        if (isText) return sign * x.textContent.localeCompare(y.textContent, "en", { numeric: true });
        const [p, q] = [x.dataset.order, y.dataset.order].map((value) => (value ? Number(value) : NaN));
        // Cells without a number are last in both orders.
        return isNaN(p) || isNaN(q) ? isNaN(p) - isNaN(q) : sign * (p - q);
      });
      table.tBodies[0].append(...rows);
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", order);
    });
  });
}
document.querySelectorAll("table.sortable").forEach(makeSortable);

// A search field shows the rows whose row heading contains the text, and their number.
for (const field of document.querySelectorAll("input[data-searches]")) {
  const rows = [...$(field.dataset.searches).querySelectorAll("tbody tr:not(.group)")];
  const status = $(field.getAttribute("aria-describedby"));
  field.addEventListener("input", () => {
    const text = field.value.trim().toLowerCase();
    let matching = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(text);
      matching += !row.hidden;
    }
    status.textContent = text ? `${matching} of ${rows.length}` : "";
  });
}

// Return the text of a cell for a CSV file. A leading character that a spreadsheet takes for a formula is quoted.
function csvText(cell) {
  const parts = [...cell.childNodes].map((node) => node.textContent.replace(/\s+/g, " ").trim());
  const text = parts.filter(Boolean).join(" ").replace(/−/g, "-");
  const safe = /^[=+@\t\r]|^-(?![\d.])/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

// Return the rows of a table as CSV. Headings of several columns are repeated, group headings fill a column.
function tableToCsv(table) {
  const names = [];
  [...table.tHead.rows].forEach((row, depth) => {
    let at = 0;
    for (const cell of row.cells) {
      while (names[at] !== undefined && names[at].until > depth) at += 1;
      for (let span = 0; span < cell.colSpan; span += 1, at += 1) {
        const before = names[at] ? `${names[at].text} ` : "";
        names[at] = { text: before + csvText(cell).replace(/ ?[↕↑↓]/g, ""), until: depth + cell.rowSpan };
      }
    }
  });
  const grouped = table.querySelector("tr.group") !== null;
  const lines = [[...(grouped ? ["group"] : []), ...names.map((name) => name.text)]];
  let group = "";
  for (const row of table.querySelectorAll("tbody tr")) {
    if (row.classList.contains("group")) group = csvText(row.cells[0]);
    else {
      const cells = [...row.cells].flatMap((cell) => [csvText(cell), ...Array(cell.colSpan - 1).fill("")]);
      lines.push([...(grouped ? [group] : []), ...cells]);
    }
  }
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

for (const region of document.querySelectorAll(".scroll")) {
  const place = region.nextElementSibling;
  if (!place || !place.classList.contains("saving")) continue;
  const label = region.getAttribute("aria-label");
  const button = element("button", { type: "button", "aria-label": `Save as CSV: ${label}` }, "Save as CSV");
  button.addEventListener("click", () => {
    const file = new Blob(["\ufeff", tableToCsv(region.querySelector("table"))], { type: "text/csv" });
    const link = element("a", { href: URL.createObjectURL(file), download: `${label.toLowerCase().replace(/ /g, "-")}.csv` });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  place.append(button);
}

// Print all details that are not only for the screen.
addEventListener("beforeprint", () => {
  for (const closed of document.querySelectorAll("details:not([open], .on-screen)")) {
    closed.open = true;
    closed.dataset.openedToPrint = "";
  }
});
addEventListener("afterprint", () => {
  for (const opened of document.querySelectorAll("details[data-opened-to-print]")) {
    opened.open = false;
    delete opened.dataset.openedToPrint;
  }
});
