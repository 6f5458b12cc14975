"use strict";
(function () {
  const data = JSON.parse(document.getElementById("figures-data").textContent);

  // Tooltips: text and, where the figure shows cells, the cell's picture.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.appendChild(tip);

  function cell(place, sprite) {
    const box = document.createElement("span");
    box.className = "cell";
    const side = 2 * sprite.tile;
    box.style.width = box.style.height = side + "px";
    box.style.backgroundImage = "var(--cells)";
    box.style.backgroundSize = sprite.columns * side + "px " + sprite.rows * side + "px";
    box.style.backgroundPosition =
      -(place % sprite.columns) * side + "px " + -Math.floor(place / sprite.columns) * side + "px";
    return box;
  }

  function handler(figure) {
    return function (_view, event, _item, value) {
      if (value === null || value === undefined || value === "") { tip.hidden = true; return; }
      tip.replaceChildren();
      if (figure.sprite && data.sprite && value.cell !== undefined) {
        tip.appendChild(cell(Number(value.cell), data.sprite));
      }
      const list = document.createElement("dl");
      for (const key of Object.keys(value)) {
        if (key === "cell" || value[key] === "" || value[key] === "undefined") continue;
        const name = document.createElement("dt"), text = document.createElement("dd");
        name.textContent = key; text.textContent = value[key];
        list.append(name, text);
      }
      tip.appendChild(list);
      tip.hidden = false;
      const width = tip.offsetWidth, height = tip.offsetHeight;
      const left = Math.min(event.clientX + 14, window.innerWidth - width - 8);
      const top = event.clientY + 14 + height > window.innerHeight ? event.clientY - height - 10 : event.clientY + 14;
      tip.style.left = Math.max(4, left) + "px";
      tip.style.top = Math.max(4, top) + "px";
    };
  }

  // Each static picture is replaced by the interactive one, in turn, so that the page answers meanwhile.
  const places = Array.from(document.querySelectorAll(".plot[data-figure]"));
  function drawNext() {
    const place = places.shift();
    if (!place) return;
    const figure = data.figures[place.dataset.figure];
    const target = document.createElement("div");
    target.className = "plot live";
    place.after(target);
    window.vegaEmbed(target, figure.spec, { renderer: "svg", actions: false, logLevel: 1, tooltip: handler(figure) })
      .then(function () { place.classList.add("drawn"); })  // the static picture stays for printing
      .catch(function (error) { target.remove(); console.error(error); })
      .finally(function () { setTimeout(drawNext, 0); });
  }
  drawNext();
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") tip.hidden = true; });
})();
