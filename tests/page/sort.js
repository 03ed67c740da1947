// Sorts cells as the page's tables do. Standard input: {script, cells, way}; prints the cells in order.
"use strict";
const { script, cells, way } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const own = script.slice(script.indexOf("function key("), script.indexOf("for (const table of"));
const { key, compare } = new Function(`${own}; return { key, compare };`)();
const text = (cell) => ({ textContent: cell });
console.log(JSON.stringify([...cells].sort((a, b) => compare(key(text(a)), key(text(b)), way))));
