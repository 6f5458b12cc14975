"use strict";
(function () {
  // What is folded up is printed too.
  const folded = [];
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open])").forEach(function (one) { one.open = true; folded.push(one); });
  });
  window.addEventListener("afterprint", function () {
    while (folded.length) folded.pop().open = false;
  });

  // Tables: sort by a heading; the field above them filters the rows of all by their text.
  const tables = Array.from(document.querySelectorAll("table.sortable"));
  const all = [];
  for (const table of tables) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    if (table.classList.contains("filtered")) all.push(...rows);
    table.querySelectorAll("thead button").forEach(function (button) {
      button.disabled = false;
      button.addEventListener("click", function () {
        const head = button.closest("th"), place = head.cellIndex;
        const first = button.dataset.direction === "up" ? "descending" : "ascending";
        const before = head.getAttribute("aria-sort");
        const now = before === first ? (first === "ascending" ? "descending" : "ascending") : first;
        table.querySelectorAll("th[aria-sort]").forEach(function (one) { one.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", now);
        const sign = now === "ascending" ? 1 : -1;
        rows.sort(function (a, b) {
          const x = a.cells[place].dataset.value, y = b.cells[place].dataset.value;
          if (x === undefined || y === undefined) {
            return sign * a.cells[place].textContent.localeCompare(b.cells[place].textContent);
          }
          if (x === "" || y === "") return (x === "") - (y === "");
          return sign * (Number(x) - Number(y));
        });
        body.append(...rows);
      });
    });
  }
  const filter = document.getElementById("filter"), count = document.getElementById("filter-count");
  if (!filter) return;
  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of all) {
      const text = Array.from(row.cells).filter(function (cell) { return cell.dataset.value === undefined; })
        .map(function (cell) { return cell.textContent.toLowerCase(); }).join(" ");
      row.hidden = !words.every(function (word) { return text.includes(word); });
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = shown + " of " + all.length + " shown";
  }
  filter.disabled = false;
  filter.addEventListener("input", show);
  show();
})();
