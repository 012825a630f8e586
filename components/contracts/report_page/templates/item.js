// One item as nodes. Text goes in as text nodes only, so that nothing a model wrote can become markup.
function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const words = (text) => text.replaceAll("_", " ");

function drawItem(entry, sideNames, texts) {
  const golds = entry.gold.map((number) => element("code", "", texts[number]));
  const several = entry.more_gold ? `Accepted, and ${entry.more_gold} more` : golds.length > 1 ? "Accepted" : "Gold";
  const gold = golds.length ? element("div", "gold", element("span", "", several), ...golds) : "";
  const sides = entry.sides;
  const shared = promptLength(sides.map((side) => side.blocks));
  const sameTools = sides.every((side) => side.tools === sides[0].tools);
  const prompt = element("details", "prompt", element("summary", "", "Prompt and tools"),
    ...sides[0].blocks.slice(0, shared).map(block), sameTools ? tools(sides[0]) : "");
  return [
    element("h3", "", texts[entry.question]), gold, prompt,
    element("div", "sides", ...sides.map((side, index) => drawSide(sideNames[index], side))),
  ];

  // How many blocks, up to the first answer, are the same on every side.
  function promptLength(conversations) {
    let length = 0;
    while (conversations.every((blocks) => blocks[length] && ["system", "user"].includes(blocks[length].role) && blocks[length].text === conversations[0][length].text)) length += 1;
    return length;
  }

  function tools(side) {
    return texts[side.tools] ? element("div", "block tools", element("p", "tag", "tools on offer"), element("pre", "", texts[side.tools])) : "";
  }

  // A turn whose calls were not executed has empty replies that nobody read.
  function says(part) {
    return !part.unseen || part.error || texts[part.text];
  }

  // A turn that calls is judged by its calls.
  function answer(side) {
    if (side.answer === null && side.parsed.length) return [];
    const given = side.answer === null ? "" : texts[side.answer];
    return [element("h5", "", "Answer"), given ? element("p", "answer", given) : element("p", "none", "no answer")];
  }

  // The verdict by executing the calls, beside that by comparing them.
  function executed(found) {
    if (!found) return [];
    const [tag, said] = found.correct === null ? ["", "not executable"] : found.correct ? ["good", "✓ right"] : ["bad", "✕ wrong"];
    const note = texts[found.note];
    return [element("h5", "", "By executing the calls"), element("p", "executed", element("span", `tag ${tag}`, element("b", "", said)), note ? ` ${note}` : "")];
  }

  function drawSide(name, side) {
    const tone = side.correct === null ? "neutral" : side.correct ? "good" : "bad";
    const verdict = side.correct === null ? "not judged" : side.correct ? "✓ right" : `✕ ${side.fault || "wrong"}`;
    const calls = side.parsed.map((call) => element("li", "", element("code", "", texts[call.text]), call.error ? element("span", "error", words(call.error)) : ""));
    return element("section", `side ${tone}`,
      element("header", "side-head", element("h4", "", name || "Trace"), element("span", "judged", verdict)),
      ...answer(side),
      element("h5", "", "Parsed calls"),
      calls.length ? element("ol", "parsed", ...calls) : element("p", "none", "no call"),
      ...executed(side.executed),
      element("h5", "", "Output"),
      ...side.blocks.slice(shared).filter(says).map(block), sameTools ? "" : tools(side));
  }

  function block(part) {
    const text = texts[part.text];
    const tag = element("p", "tag", element("span", "", part.role === "tool" && part.name ? `reply of ${part.name}` : part.role === "tool" ? "reply" : part.role));
    let className = `block ${part.role}`;
    if (part.error) {
      tag.append(element("span", "error", words(part.error)));
      className += " failed";
    }
    if (part.unseen) tag.append(element("span", "", "never shown to the model"));
    if (part.finish === "length") tag.append(element("span", "", "cut off by the token limit"));
    if (part.prefilled === -1) tag.append(element("span", "", "begins with prefilled tokens"));
    if (part.trained !== undefined) {
      className += part.trained ? " trained" : " masked";
      tag.append(element("span", "", part.trained ? "trained" : `masked${part.why ? ": " + words(part.why) : ""}`));
    }
    return element("div", className, tag, element("pre", "", ...(text ? marked(text, part) : [element("span", "none", "empty")])));
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
}
