"use strict";
// The page is whole without this script: it adds sorting, and opens what is folded before printing.
for (const note of document.querySelectorAll(".scripted")) note.hidden = false;

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.querySelectorAll("th[data-sort]")];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const text = heading.dataset.sort === "text";
      const was = heading.getAttribute("aria-sort");
      const now = was ? (was === "ascending" ? "descending" : "ascending") : text ? "ascending" : "descending";
      const sign = now === "ascending" ? 1 : -1;
      const rows = [...body.rows];
      rows.sort((a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        if (text) return sign * x.textContent.localeCompare(y.textContent, "en", { numeric: true });
        const [p, q] = [Number(x.dataset.order), Number(y.dataset.order)];
        // Cells without a number stay below those that have one, whichever way the column is sorted.
        return p < 0 || q < 0 ? q - p : sign * (p - q);
      });
      body.append(...rows);
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", now);
    });
  });
}

window.addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open], .on-screen)")) {
    folded.open = true;
    folded.dataset.folded = "";
  }
});
window.addEventListener("afterprint", () => {
  for (const opened of document.querySelectorAll("details[data-folded]")) {
    opened.open = false;
    delete opened.dataset.folded;
  }
});
