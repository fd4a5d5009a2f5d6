"use strict";
// Sorting, filtering and opening of the layer table. Without it the table stands in the model's order, every row's
// details behind a <details>. What is shown is kept in the address: #q=conv*&verdict=failing&sort=error&down=1
(() => {
  const table = document.getElementById("layers");
  const bodies = [...table.tBodies];
  const heads = [...table.tHead.rows[0].cells];
  const text = document.getElementById("text"), verdict = document.getElementById("verdict");
  const all = document.getElementById("open"), count = document.getElementById("count");
  const state = { q: "", verdict: "", sort: "", down: "" };

  const button = (label, name) => Object.assign(document.createElement("button"), { type: "button", className: name, textContent: label });

  const open = (body, yes) => {
    body.classList.toggle("opened", yes);
    body.querySelector("details").open = yes;
    body.querySelector("button.name").setAttribute("aria-expanded", yes);
  };

  const pattern = (glob) => {
    const parts = glob.toLowerCase().split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(parts.join(".*"));
  };

  const filter = () => {
    const wanted = pattern(state.q.trim());
    let shown = 0;
    for (const body of bodies) {
      const said = [".c-name", ".c-type"].map((c) => body.querySelector(c).textContent.trim().toLowerCase());
      const judged = !state.verdict || body.dataset.verdict === state.verdict || (state.verdict === "failing" && "failed" in body.dataset);
      body.hidden = !(judged && said.some((s) => wanted.test(s)));
      shown += !body.hidden;
    }
    count.textContent = `${shown} of ${bodies.length} shown`;
  };

  const sort = () => {
    const column = heads.findIndex((head) => head.dataset.key === state.sort);
    const key = (body) => {
      const cell = body.rows[0].cells[column];
      return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent.trim();
    };
    const order = [...bodies];
    if (column > 0) {
      const sign = state.down ? -1 : 1;
      const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      order.sort((a, b) => sign * compare(key(a), key(b)));
    } else if (state.down) {
      order.reverse();
    }
    table.append(...order);
    heads.forEach((head, n) => head.setAttribute("aria-sort", n === Math.max(column, 0) ? (state.down ? "descending" : "ascending") : "none"));
  };

  const keep = () => {
    const said = new URLSearchParams(Object.entries(state).filter(([, value]) => value));
    history.replaceState(null, "", "#" + said);
  };

  const follow = () => {
    const hash = location.hash.slice(1);
    if (hash.includes("=")) {
      const said = new URLSearchParams(hash);
      for (const name of Object.keys(state)) state[name] = said.get(name) || "";
      text.value = state.q;
      verdict.value = state.verdict;
      filter();
      sort();
      return;
    }
    const body = document.getElementById(hash);
    if (body && body.tagName === "TBODY") {
      body.hidden = false;
      open(body, true);
      body.scrollIntoView();
    }
  };

  for (const body of bodies) {
    const name = body.querySelector(".name"), toggle = button(name.textContent, "name");
    toggle.addEventListener("click", () => open(body, !body.classList.contains("opened")));
    name.replaceWith(toggle);
    open(body, "failed" in body.dataset);
  }
  for (const head of heads) {
    const toggle = button(head.textContent, "");
    toggle.addEventListener("click", () => {
      // a number is first sorted from the largest down, since that is where to look
      const first = ["error", "used", "verdict", "output"].includes(head.dataset.key) ? "1" : "";
      state.down = state.sort === head.dataset.key ? (state.down ? "" : "1") : first;
      state.sort = head.dataset.key;
      sort();
      keep();
    });
    head.replaceChildren(toggle);
  }
  text.addEventListener("input", () => { state.q = text.value; filter(); keep(); });
  verdict.addEventListener("change", () => { state.verdict = verdict.value; filter(); keep(); });
  all.addEventListener("click", () => {
    const yes = all.textContent === "open all";
    bodies.forEach((body) => open(body, yes));
    all.textContent = yes ? "close all" : "open all";
  });
  text.form.addEventListener("submit", (event) => event.preventDefault());
  text.form.hidden = false;
  window.addEventListener("hashchange", follow);
  document.documentElement.classList.add("js");
  sort();
  filter();
  follow();
})();
