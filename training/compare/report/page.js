"use strict";
// Pictures that answer to the pointer, tables that sort, data that can be copied. Without this
// script the page shows static pictures and everything else. Text goes in as text only.
(() => {
  const { pictures, themes } = JSON.parse(document.getElementById("pictures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const figures = [...document.querySelectorAll("figure[data-picture]")];
  const rowsOf = (figure) => pictures[figure.dataset.picture].data.values;

  async function draw(figure) {
    const config = dark.matches ? themes.dark : themes.light;
    const options = { actions: false, renderer: "svg", config, tooltip: { theme: dark.matches ? "dark" : "light" } };
    await window.vegaEmbed(figure.querySelector(".plot"), structuredClone(pictures[figure.dataset.picture]), options);
    figure.classList.add("live");
  }

  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        seen.unobserve(target);
        draw(target);
      }
    }
  }, { rootMargin: "400px" });

  function tableOf(rows) {
    const table = document.createElement("table");
    const names = Object.keys(rows[0]);
    const add = (parent, tag, text) => {
      const cell = parent.appendChild(document.createElement(tag));
      cell.textContent = text;
      return cell;
    };
    const head = table.createTHead().insertRow();
    for (const name of names) add(head, "th", name).scope = "col";
    const body = table.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      for (const name of names) {
        const value = row[name];
        const cell = add(line, "td", value ?? "");
        cell.dataset.key = value ?? "";
        if (typeof value === "number") cell.className = "number";
      }
    }
    makeSortable(table);
    const around = document.createElement("div");
    around.className = "table";
    around.tabIndex = 0;
    around.append(table);
    return around;
  }

  const separated = (rows) => {
    const names = Object.keys(rows[0]);
    return [names, ...rows.map((row) => names.map((name) => row[name] ?? ""))]
      .map((line) => line.join("\t")).join("\n");
  };

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.body.appendChild(document.createElement("textarea"));
      area.value = text;
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  function makeSortable(table) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, heading));
    }
  }

  function sort(table, heading) {
    const at = heading.cellIndex;
    const rising = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => row.cells[at].dataset.key;
    const rows = [...table.tBodies[0].rows];
    const areNumbers = rows.every((row) => key(row) === "" || !Number.isNaN(Number(key(row))));
    const order = (a, b) => areNumbers ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b));
    rows.sort((a, b) => rising ? order(a, b) : order(b, a));
    table.tBodies[0].append(...rows);
  }

  for (const figure of figures) {
    const tools = figure.querySelector(".tools");
    tools.hidden = false;
    tools.querySelector(".copy").addEventListener("click", async (event) => {
      const button = event.currentTarget;
      button.textContent = (await copy(separated(rowsOf(figure)))) ? "Copied" : "Not allowed";
      setTimeout(() => { button.textContent = "Copy data"; }, 1500);
    });
    tools.querySelector(".save").addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = figure.querySelector("img.static").src;
      link.download = `${figure.dataset.picture}.svg`;
      link.click();
    });
    const data = tools.querySelector(".data");
    data.addEventListener("toggle", () => data.append(tableOf(rowsOf(figure))), { once: true });
    seen.observe(figure);
  }
  document.querySelectorAll("main table").forEach(makeSortable);
  dark.addEventListener("change", () => {
    figures.filter((figure) => figure.classList.contains("live")).forEach(draw);
  });

  let folded = [];  // print opens what is folded, but for the data of pictures
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open]):not(.data)")];
    folded.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
