"use strict";
// Tables are sorted by a click or a key on a heading: numbers by size, words by the alphabet, what is missing last.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
    const falls = heading.getAttribute("aria-sort") === "ascending";
    headings.forEach(other => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", falls ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    const key = row => row.cells[column].dataset.by;
    const numbers = rows.every(row => key(row) === "nan" || (key(row) !== "" && !Number.isNaN(Number(key(row)))));
    const compare = (one, two) => {
      const [first, second] = [key(one), key(two)];
      if (first === "nan" || second === "nan") return (first === "nan") - (second === "nan");
      const order = numbers ? Number(first) - Number(second) : first.localeCompare(second, "en");
      return falls ? -order : order;
    };
    rows.sort(compare).forEach(row => table.tBodies[0].append(row));
  }));
}
// What is folded away belongs on paper too.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(part => { part.open = true; }));
