// What pages do beyond links and forms: filters that apply at once, rows filtered in files, labelling by keyboard.
"use strict";
(() => {
  const isTyping = (target) => target.matches("textarea, select, input:not([type=radio]):not([type=checkbox])");

  for (const field of document.querySelectorAll("[data-submit]")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }

  const waiting = document.querySelector("[data-reload]");
  if (waiting) {
    const count = `reloads of ${location.href}`;
    const before = Number(sessionStorage.getItem(count));
    const pause = Math.min(Number(waiting.dataset.reload) * 1.5 ** before, 30000);
    let isInUse = false;
    document.addEventListener("input", () => (isInUse = true));
    document.addEventListener("click", (event) => (isInUse ||= event.target.closest("summary") !== null));
    addEventListener("beforeunload", () => (isInUse = true)); // a reload would end the way to another page
    const reload = () => {
      if (isInUse) return;
      if (document.activeElement?.matches("input, select, textarea")) return void setTimeout(reload, pause);
      sessionStorage.setItem(count, before + 1);
      location.reload();
    };
    setTimeout(reload, pause);
  }

  document.addEventListener("keydown", (event) => {
    const field = document.querySelector("[data-key='/']");
    if (event.key === "/" && field && !isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
    }
  });

  const filter = document.querySelector("[data-filter]");
  if (filter) {
    const rows = [...document.querySelectorAll(".lv-case")];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const apply = () => {
      const wanted = new FormData(filter);
      const fits = (row, place) =>
        (!wanted.get("suite") || row.dataset.suite === wanted.get("suite")) &&
        (!wanted.get("model") || row.dataset.model === wanted.get("model")) &&
        (!wanted.get("outcome") || row.dataset.outcome === wanted.get("outcome")) &&
        (!wanted.get("slice") || row.dataset.slices.split(" ").includes(wanted.get("slice"))) &&
        (!wanted.get("flipped") || "flipped" in row.dataset) &&
        texts[place].includes((wanted.get("search") || "").toLowerCase());
      let shown = 0;
      rows.forEach((row, place) => {
        row.hidden = !fits(row, place);
        shown += !row.hidden;
      });
      filter.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
    };
    filter.hidden = false;
    filter.addEventListener("input", apply);
    filter.addEventListener("submit", (event) => event.preventDefault());
    addEventListener("pageshow", apply); // by then what stood in the fields before Back is there again
    apply();
  }

  const label = document.querySelector("[data-label]");
  if (label) {
    const parts = [...label.querySelectorAll("[data-dimension]")];
    const isOpen = (part) => !part.querySelector(":checked");
    let marked = 0;
    const mark = (place) => {
      marked = Math.max(0, Math.min(place, parts.length - 1));
      parts.forEach((part, at) => part.classList.toggle("lv-marked", at === marked));
    };
    mark(Math.max(0, parts.findIndex(isOpen)));
    const choose = (number) => {
      const level = parts[marked].querySelectorAll("input")[number - 1];
      if (!level) return;
      level.checked = true;
      mark(marked + 1);
    };
    const go = (where) => {
      const link = label.querySelector(`[data-go=${where}]`);
      if (link) location.assign(link.href);
    };
    const keys = {
      ArrowUp: () => mark(marked - 1),
      ArrowDown: () => mark(marked + 1),
      Enter: () => label.requestSubmit(),
      n: () => go("next"),
      p: () => go("previous"),
      e: () => label.elements.note.focus(),
    };
    parts.forEach((part, at) => part.addEventListener("focusin", () => mark(at)));
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (event.key === "Escape") return void document.activeElement.blur();
      if (isTyping(event.target) || event.target.closest("a, button, summary")) return;
      if (/^[1-9]$/.test(event.key)) {
        choose(Number(event.key));
      } else if (keys[event.key]) {
        keys[event.key]();
      } else {
        return;
      }
      event.preventDefault();
    });
  }
})();
