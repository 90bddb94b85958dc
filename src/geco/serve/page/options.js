// The form of options, made from the server's own description of its fields.

const FIRST = ["model", "seed", "samples", "faces", "texture_size"];
// the picture itself; formats are chosen at the result
const NOT_HERE = ["picture", "format"];
// what a file has besides the object, or what keeps viewers from reading it: for downloads alone
const BESIDE = ["lods", "collision", "compression"];
const LABELS = { samples: "How many", faces: "Most faces", uv: "Unwrapping", lods: "LODs" };
const MOST_SAMPLES = 4;
const MOST_SEED = 2 ** 32 - 1;
const $ = (id) => document.getElementById(id);

// Builds the form; fields: of describedFields().
export function build(fields) {
  const all = { ...fields, samples: { type: "integer", enum: ["1", "2", "3", "4"], default: "4" } };
  const rest = Object.keys(all).filter((name) => !FIRST.includes(name) && !NOT_HERE.includes(name));
  if (!all.model?.enum) delete all.model; // there is no choice
  for (const name of FIRST) if (all[name]) $("first-fields").append(field(name, all[name]));
  for (const name of rest) $("more-fields").append(field(name, all[name]));
}

// What was chosen, without what is left as it is: {choices: {name: text}, beside: those of files alone,
// seeds: [number]}.
export function chosen() {
  const [choices, beside] = [{}, {}];
  for (const input of $("options").querySelectorAll("[name]")) {
    const value = input.type === "checkbox" ? String(input.checked) : input.value.trim();
    const kind = BESIDE.includes(input.name) ? beside : choices;
    if (value !== input.dataset.own) kind[input.name] = value;
  }
  const count = Number($("options").elements.samples?.value ?? MOST_SAMPLES);
  const first = Math.min(Math.max(Math.trunc(Number(choices.seed ?? 0)) || 0, 0), MOST_SEED + 1 - count);
  if (beside.lods && choices.normal_map && !choices.faces) {
    beside.normal_map = choices.normal_map; // of the levels: the object itself keeps all its faces
    delete choices.normal_map;
  }
  delete choices.seed;
  delete choices.samples;
  const seeds = Array.from({ length: count }, (_, number) => first + number);
  return { choices, beside, seeds };
}

// The first field that holds what it cannot, as a sentence with its remedy; null where all are good. That
// field
// is marked and gets the focus.
export function wrong() {
  let found = null;
  for (const input of $("options").querySelectorAll("input[type=number], input[pattern]")) {
    const good = input.validity.valid;
    input.toggleAttribute("aria-invalid", !good);
    if (good) continue;
    input.setAttribute("aria-invalid", "true");
    found ??= input;
  }
  if (!found) return null;
  if ($("more").contains(found)) $("more").open = true;
  found.focus();
  if (found.pattern) return `${found.labels[0].textContent}: give whole numbers with commas between them.`;
  const kind = found.step === "1" ? "a whole number" : "a number";
  return `${found.labels[0].textContent}: choose ${kind} from ${count(found.min)} to ${count(found.max)}.`;
}

function count(text) {
  return Number(text).toLocaleString("en", { maximumFractionDigits: 6 });
}

export function setSeed(seed) {
  $("options").elements.seed.value = seed;
}

export function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

function field(name, about) {
  const id = `option-${name}`;
  const label = document.createElement("label");
  label.htmlFor = id;
  label.textContent = LABELS[name] || capital(name.replaceAll("_", " "));
  const input = control(name, about);
  input.id = id;
  input.name = name;
  const box = document.createElement("div");
  box.className = "field";
  box.append(label, name === "seed" ? withRandom(input) : input);
  if (name === "seed") box.classList.add("wide");
  if (input.type === "checkbox") {
    box.classList.add("check");
    box.prepend(input);
  }
  if (about.description && !FIRST.includes(name)) box.append(hint(input, about.description));
  return box;
}

function control(name, about) {
  const own = about.default ?? "";
  if (about.type === "boolean") {
    const input = document.createElement("input");
    input.type = "checkbox";
    input.checked = own === true;
    input.dataset.own = String(own === true);
    return input;
  }
  if (about.enum) {
    const select = document.createElement("select");
    if (own === "") select.append(new Option("as the model has it", ""));
    for (const value of about.enum) select.append(new Option(value, value, false, value === own));
    select.dataset.own = own;
    return select;
  }
  const input = document.createElement("input");
  const number = about.type === "integer" || about.type === "number";
  input.type = number ? "number" : "text";
  input.value = own;
  input.dataset.own = own;
  if (about.pattern) input.pattern = about.pattern;
  if (number) {
    input.step = about.type === "integer" ? 1 : "any";
    input.min = about.minimum ?? "";
    input.max = about.maximum ?? "";
  }
  if (own === "") input.placeholder = name === "faces" ? "as it comes" : "the model's own";
  return input;
}

function withRandom(input) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Random";
  button.id = "random";
  const row = document.createElement("div");
  row.className = "row";
  row.append(input, button);
  return row;
}

function hint(input, text) {
  const span = document.createElement("span");
  span.className = "hint";
  span.id = `${input.id}-hint`;
  span.textContent = capital(text);
  input.setAttribute("aria-describedby", span.id);
  return span;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
