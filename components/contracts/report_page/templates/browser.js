// The list of items with its filters. Without data the page has no browser.
(() => {
  const holder = document.getElementById("data");
  if (!holder) return;
  const { sets, texts } = JSON.parse(holder.textContent);
  const byId = (id) => document.getElementById(id);
  const filters = [["outcome", "Outcome"], ["suite", "Suite"], ["kind", "Kind"], ["fault", "What is wrong"]];
  const mostChips = 6;
  const tones = { fixed: "good", broken: "bad", wrong: "bad", "still wrong": "bad", right: "good", "still right": "good", trained: "good" };
  const state = { set: 0, chosen: {}, search: "", shown: [], place: 0 };
  const detail = byId("detail");
  const list = byId("list");

  const haystacks = new Map();
  function haystack(entry) {
    if (!haystacks.has(entry)) {
      const said = entry.sides.flatMap((side) => side.blocks.filter((part) => part.role !== "system").map((part) => part.text));
      haystacks.set(entry, [entry.id, ...[entry.question, ...entry.gold, ...said].map((number) => texts[number])].join("\n").toLowerCase());
    }
    return haystacks.get(entry);
  }

  const fits = (entry, except) =>
    filters.every(([key]) => key === except || !state.chosen[key] || entry[key] === state.chosen[key]) &&
    (!state.search || haystack(entry).includes(state.search));

  function valuesOf(key, set) {
    const found = new Set(set.entries.map((entry) => entry[key]).filter(Boolean));
    return key === "outcome" ? set.outcomes.filter((outcome) => found.has(outcome)) : [...found].sort();
  }

  function chips(key, title, values) {
    const box = element("div", "chips", ...["", ...values].map((value) => {
      const input = element("input");
      Object.assign(input, { type: "radio", name: key, value, checked: value === (state.chosen[key] || "") });
      input.addEventListener("change", () => pick(key, value));
      return element("label", "", input, element("span", "", value || "all", " ", element("small")));
    }));
    return element("fieldset", "", element("legend", "", title), box);
  }

  function choices(key, title, values) {
    const select = element("select", "", ...["", ...values].map((value) => Object.assign(element("option"), { value })));
    select.name = key;
    select.addEventListener("change", () => pick(key, select.value));
    return element("label", "field", title, select);
  }

  function pick(key, value) {
    state.chosen[key] = value;
    refresh();
  }

  // Counts are of what the other filters leave.
  function count() {
    for (const [key] of filters) {
      const left = sets[state.set].entries.filter((entry) => fits(entry, key));
      const number = (value) => left.filter((entry) => !value || entry[key] === value).length;
      for (const input of document.querySelectorAll(`#filters input[name=${key}]`)) input.nextElementSibling.lastChild.textContent = String(number(input.value));
      for (const option of document.querySelectorAll(`#filters select[name=${key}] option`)) option.textContent = `${option.value || "all"} (${number(option.value)})`;
    }
  }

  function open(index) {
    Object.assign(state, { set: index, chosen: {} });
    const set = sets[index];
    for (const [place, tab] of [...byId("tabs").children].entries()) {
      if (sets.length < 2) break;
      tab.setAttribute("aria-selected", String(place === index));
      tab.tabIndex = place === index ? 0 : -1;
      if (place === index) byId("pane").setAttribute("aria-labelledby", tab.id);
    }
    byId("filters").replaceChildren(...filters.flatMap(([key, title]) => {
      const values = valuesOf(key, set);
      if (values.length < (key === "outcome" ? 1 : 2)) return [];
      return [(values.length > mostChips ? choices : chips)(key, title, values)];
    }));
    refresh();
  }

  function refresh() {
    const set = sets[state.set];
    state.shown = set.entries.filter((entry) => fits(entry));
    count();
    const left = set.entries.length < set.total ? `; the page holds ${set.entries.length} of ${set.total}, chosen evenly` : "";
    byId("shown").textContent = `${state.shown.length} of ${set.entries.length} shown${left}.`;
    list.replaceChildren(...state.shown.map((entry, place) => {
      const where = [entry.suite, entry.kind].filter(Boolean);
      const tag = element("span", `tag ${tones[entry.outcome] || "neutral"}`, element("b", "", entry.outcome), ` · ${[...new Set(where)].join(" · ")}`);
      const button = element("button", "", element("span", "what", texts[entry.question]), tag);
      Object.assign(button, { type: "button", tabIndex: -1 });
      button.addEventListener("click", () => { choose(place); reveal(); });
      return element("li", "", button);
    }));
    if (state.shown.length) choose(0);
    else detail.replaceChildren(element("p", "quiet", "No item fits these filters."));
  }

  const buttonAt = (place) => list.children[place]?.firstChild;

  function choose(place) {
    const before = list.querySelector("[aria-current]");
    if (before) {
      before.removeAttribute("aria-current");
      before.tabIndex = -1;
    }
    state.place = place;
    const button = buttonAt(place);
    button.setAttribute("aria-current", "true");
    button.tabIndex = 0;
    const entry = state.shown[place];
    detail.replaceChildren(steps(entry), ...drawItem(entry, sets[state.set].sides, texts));
    detail.scrollTop = 0;
  }

  function steps(entry) {
    const step = (text, by) => {
      const button = element("button", "", text);
      Object.assign(button, { type: "button", disabled: !buttonAt(state.place + by) });
      button.addEventListener("click", () => {
        choose(state.place + by);
        buttonAt(state.place).scrollIntoView({ block: "nearest" });
        const again = detail.querySelectorAll(".steps button")[by < 0 ? 0 : 1];
        (again.disabled ? detail : again).focus({ preventScroll: true });
      });
      return button;
    };
    const box = element("nav", "steps", step("Previous", -1), step("Next", 1), element("span", "", `${state.place + 1} of ${state.shown.length}`), element("span", "id", entry.id));
    box.setAttribute("aria-label", "Step through the items");
    return box;
  }

  function reveal() {
    if (matchMedia("(max-width: 48rem)").matches) detail.scrollIntoView({ block: "start" });
  }

  list.addEventListener("keydown", (event) => {
    const last = state.shown.length - 1;
    const place = { ArrowDown: Math.min(state.place + 1, last), ArrowUp: Math.max(state.place - 1, 0), Home: 0, End: last }[event.key];
    if (event.key === "Enter") {
      event.preventDefault();
      detail.focus({ preventScroll: true });
      reveal();
    } else if (place !== undefined) {
      event.preventDefault();
      choose(place);
      buttonAt(place).focus();
    }
  });
  detail.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && state.shown.length) buttonAt(state.place).focus();
  });
  byId("search").addEventListener("input", (event) => { state.search = event.target.value.trim().toLowerCase(); refresh(); });

  const tabs = sets.length > 1 ? [...byId("tabs").children] : [];
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => open(place));
    tab.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const next = (place + by + tabs.length) % tabs.length;
      tabs[next].focus();
      open(next);
    });
  }
  byId("viewer").hidden = false;
  open(0);
})();
