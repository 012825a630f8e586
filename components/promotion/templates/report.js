"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const orders = {
    questions: ["fixed", "broken", "still wrong", "still right"],
    training: ["trained", "partly masked", "not trained"],
  };
  const tones = { fixed: "good", broken: "bad", "still wrong": "bad", "still right": "good", trained: "good", "not trained": "neutral", "partly masked": "neutral" };
  const state = { set: "questions", change: "", kind: "", search: "", chosen: null };

  // Text goes in as text nodes only, so that nothing a model wrote can become markup.
  function element(tag, className, ...children) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  }

  function chips(box, name, values, count) {
    const all = values.length > 1 ? ["", ...values] : values;
    box.replaceChildren(...all.map((value) => {
      const input = element("input");
      Object.assign(input, { type: "radio", name, value, checked: value === state[name] || all.length === 1 });
      input.addEventListener("change", () => { state[name] = value; refresh(); });
      return element("label", "", input, element("span", "", value ? value.replaceAll("_", " ") : "all", " ", element("small", "", String(count(value)))));
    }));
  }

  const entries = () => data[state.set];
  const matches = (entry) =>
    (!state.change || entry.change === state.change) && (!state.kind || entry.kind === state.kind) &&
    (!state.search || (entry.question + " " + entry.gold.join(" ")).toLowerCase().includes(state.search));

  function drawFilters() {
    const found = new Set(entries().map((entry) => entry.change));
    const kinds = [...new Set(entries().map((entry) => entry.kind))].sort();
    // Counts are of what is embedded; the status line below says how many there are in all.
    const count = (key) => (value) => entries().filter((entry) => !value || entry[key] === value).length;
    chips(byId("changes"), "change", orders[state.set].filter((change) => found.has(change)), count("change"));
    chips(byId("kinds"), "kind", kinds, count("kind"));
  }

  function select(set) {
    Object.assign(state, { set, change: "", kind: "", chosen: null });
    for (const tab of document.querySelectorAll("[role=tab]")) {
      const on = tab.dataset.set === set;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      if (on) byId("pane").setAttribute("aria-labelledby", tab.id);
    }
    drawFilters();
    refresh();
  }

  function refresh() {
    const shown = entries().filter(matches);
    const total = state.set === "questions" ? data.totals.reduce((sum, row) => sum + row[2], 0) : data.training_total;
    const embedded = entries().length < total ? `; the page holds ${entries().length} of ${total}, chosen evenly` : "";
    byId("shown").textContent = `${shown.length} of ${entries().length} shown${embedded}.`;
    byId("list").replaceChildren(...shown.map((entry) => {
      const tag = element("span", `tag ${tones[entry.change]}`, element("b", "", entry.change), ` · ${entry.kind.replaceAll("_", " ")}`);
      const button = element("button", "", element("span", "what", entry.question), tag);
      button.type = "button";
      button.addEventListener("click", () => { choose(entry, button); reveal(); });
      return element("li", "", button);
    }));
    const first = byId("list").querySelector("button");
    if (first) choose(shown[0], first);
    else byId("detail").replaceChildren(element("p", "quiet", "No trace fits these filters."));
  }

  function choose(entry, button) {
    for (const other of byId("list").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    const gold = element("p", "gold", entry.gold.length > 1 ? "Accepted: " : "Gold: ", element("b", "", entry.gold.slice(0, 8).join(" · ")));
    if (entry.gold.length > 8) gold.append(` and ${entry.gold.length - 8} more`);
    const traces = entry.trace ? [["", entry.trace]] : [["Before", entry.before], ["After", entry.after]];
    const shared = promptLength(traces.map(([, trace]) => trace.blocks));
    const prompt = element("details", "prompt", element("summary", "", "Prompt"), ...traces[0][1].blocks.slice(0, shared).map(block));
    const sides = element("div", "sides", ...traces.map(([title, trace]) => side(title, trace, shared)));
    byId("detail").replaceChildren(element("h3", "", entry.question), gold, shared ? prompt : "", sides);
    byId("detail").scrollTop = 0;
  }

  function reveal() {
    if (matchMedia("(max-width: 48rem)").matches) byId("detail").scrollIntoView({ block: "start" });
  }

  // How many blocks, up to the first answer, are the same on every side.
  function promptLength(sides) {
    let length = 0;
    while (sides.every((blocks) => blocks[length] && ["system", "user"].includes(blocks[length].role) && blocks[length].text === sides[0][length].text)) length += 1;
    return length;
  }

  function side(title, trace, skip) {
    const tone = trace.correct === null ? "neutral" : trace.correct ? "good" : "bad";
    const verdict = trace.correct === null ? "not judged" : trace.correct ? "✓ right" : "✕ wrong";
    const head = element("header", "side-head", element("span", "right", verdict), element("h4", "", title || "Trace"),
      element("p", "", trace.answer === null ? "no answer" : `Answer: ${trace.answer}`));
    return element("div", `side ${tone}`, head, ...trace.blocks.slice(skip).map(block));
  }

  function block(part) {
    const text = data.texts[part.text];
    const tag = element("p", "tag", element("span", "", part.role === "tool" && part.name ? `reply of ${part.name}` : part.role === "tool" ? "reply" : part.role));
    let className = `block ${part.role}`;
    if (part.error) {
      tag.append(element("span", "error", part.error.replaceAll("_", " ")));
      className += " failed";
    }
    if (part.unseen) tag.append(element("span", "", "never shown to the model"));
    if (part.finish === "length") tag.append(element("span", "", "cut off by the token limit"));
    if (part.prefilled === -1) tag.append(element("span", "", "begins with prefilled tokens"));
    if (part.trained !== undefined) {
      className += part.trained ? " trained" : " masked";
      tag.append(element("span", "", part.trained ? "trained" : `masked${part.why ? ": " + part.why.replaceAll("_", " ") : ""}`));
    }
    const body = element("pre", "", ...(text ? marked(text, part) : [element("span", "empty", "empty")]));
    return element("div", className, tag, body);
  }

  // The text as pieces: what was prefilled, and each call, in a <mark>.
  function marked(text, part) {
    const given = Math.max(0, part.prefilled || 0);
    const spans = [];
    let from = 0;
    for (const call of part.calls || []) {
      const start = call ? text.indexOf(call, from) : -1;
      if (start < 0) continue;
      spans.push([start, start + call.length]);
      from = start + call.length;
    }
    const inner = spans.flat().filter((edge) => edge > given);
    const edges = [...new Set([0, Math.min(given, text.length), ...inner, text.length])].sort((a, b) => a - b);
    return edges.slice(1).map((end, index) => {
      const piece = text.slice(edges[index], end);
      if (edges[index] < given) return element("mark", "given", piece);
      return spans.some(([start, stop]) => edges[index] >= start && end <= stop) ? element("mark", "call", piece) : piece;
    });
  }

  byId("search").addEventListener("input", (event) => { state.search = event.target.value.trim().toLowerCase(); refresh(); });
  byId("list").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...byId("list").querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (!step || !next) return;
    event.preventDefault();
    next.focus();
    next.click();
  });
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => select(tab.dataset.set));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
      const other = tabs[(tabs.indexOf(tab) + 1) % tabs.length];
      other.focus();
      select(other.dataset.set);
    });
  }
  document.querySelector(".viewer").hidden = false;
  select("questions");
})();
