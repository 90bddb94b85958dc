"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const metric = document.getElementById("metric"), column = document.getElementById("column");
const turn = document.getElementById("turn"), objects = document.getElementById("objects");
let worstFirst = true;

function sort() {
  const better = data.better[metric.value];
  const value = section => (data.values[section.dataset.key][column.value] || {})[metric.value];
  const rank = section => { const v = value(section); return v === undefined ? -Infinity : v * better; };
  const order = (a, b) => rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0;
  const sections = [...objects.children].sort((a, b) => order(a, b) * (worstFirst ? 1 : -1));
  for (const section of sections) {
    const v = value(section);
    const text = v === undefined ? "no value" : metric.value + " " + v.toFixed(4);
    section.querySelector("output").textContent = text;
    objects.append(section);
  }
}

metric.addEventListener("change", sort);
column.addEventListener("change", sort);
turn.addEventListener("click", () => {
  worstFirst = !worstFirst;
  turn.textContent = worstFirst ? "best first" : "worst first";
  sort();
});
document.getElementById("controls").addEventListener("change", event => {
  if (event.target.type !== "checkbox") return;
  const rows = objects.querySelectorAll(`tr[data-index="${event.target.value}"]`);
  for (const row of rows) row.hidden = !event.target.checked;
});
sort();
