// Runs a page's script on as much of a DOM as it uses, takes steps, and prints what is shown.
// Standard input: {html, steps}; a step is [id, value]: a choice, a text, or a click where it is null.
"use strict";
const { html, steps } = JSON.parse(require("fs").readFileSync(0, "utf8"));

class Element {
  constructor(tag, id) {
    Object.assign(this, { tag, id, children: [], text: "", hidden: false, className: "", heard: {} });
  }
  get textContent() { return this.text + this.children.map((one) => one.textContent).join(""); }
  set textContent(text) { this.children = []; this.text = text; }
  get value() { return this.picked ?? (this.tag === "select" ? this.children[0]?.value : "") ?? ""; }
  set value(value) {
    const values = this.children.map((one) => one.value);
    if (this.tag === "select" && !values.includes(value)) throw new Error(`no ${value} in ${values}`);
    this.picked = value;
  }
  append(child) { this.children.push(child); }
  replaceChildren() { this.textContent = ""; this.picked = undefined; }
  addEventListener(type, listener) { this.heard[type] = listener; }
  all(test) { return this.children.flatMap((one) => [...(test(one) ? [one] : []), ...one.all(test)]); }
}

const scripts = [...html.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)];
const body = html.replace(/<script[^]*<\/script>/, "");
const form = new Element("form");
const ids = new Map();
for (const [, tag, id] of body.matchAll(/<(\w+)\b[^>]*\bid="(\w+)"/g)) ids.set(id, new Element(tag, id));
const data = new Element("script", "data");
data.textContent = scripts[0][2];
ids.set("data", data);
globalThis.document = {
  createElement: (tag) => new Element(tag),
  getElementById: (id) => ids.get(id) ?? null,
  querySelector: (what) => (what === "form" ? form : null),
};
new Function(scripts[1][2])();

for (const [id, value] of steps) {
  const element = ids.get(id);
  if (value !== null) element.value = value;
  element.heard[value === null ? "click" : element.tag === "select" ? "change" : "input"]();
}
const cards = ids.get("list").children.map((card) => ({
  item: card.children[0].textContent,
  scores: card.all((one) => one.tag === "h3").map((one) => one.textContent),
  marks: card.all((one) => one.tag === "span" && one.className).map((one) => one.className),
  text: card.textContent,
}));
const selects = [...ids.values()].filter((one) => one.tag === "select");
console.log(JSON.stringify({
  cards,
  count: ids.get("count").textContent,
  about: ids.get("about").textContent,
  options: Object.fromEntries(selects.map((one) => [one.id, one.children.map((o) => o.textContent)])),
  hidden: [...ids.values()].filter((one) => one.hidden).map((one) => one.id),
}));
