// The shown object as a file in any format; all but the GLB are made when they are asked for.
import { asFormat } from "./making.js";

const FORMATS = [
  { words: "GLB", suffix: "glb", fields: { format: "glb" } },
  { words: "STL, watertight", suffix: "stl", fields: { format: "stl", watertight: "true" } },
  { words: "3MF, watertight", suffix: "3mf", fields: { format: "3mf", watertight: "true" } },
  { words: "USDZ", suffix: "usdz", fields: { format: "usdz" } },
  { words: "OBJ (zip)", suffix: "zip", fields: { format: "obj" } },
  { words: "PLY", suffix: "ply", fields: { format: "ply" } },
];

// Fills the list for one result of a run ({picture, name, choices, several}). say and fail are told what
// happens; fields: those that the server knows.
export function offer(list, run, result, { say, fail, fields }) {
  list.replaceChildren(...FORMATS.map((format) => {
    const item = document.createElement("li");
    const more = { say, fail, fields };
    item.append(format.suffix === "glb" ? link(run, result) : maker(format, run, result, more));
    return item;
  }));
}

function fileName({ name, several }, { seed }, suffix) {
  return several ? `${name}-seed${seed}.${suffix}` : `${name}.${suffix}`;
}

function link(run, result) {
  const made = document.createElement("a");
  result.link ??= URL.createObjectURL(result.glb);
  Object.assign(made, { className: "button", textContent: "GLB", href: result.link });
  made.download = fileName(run, result, "glb");
  return made;
}

function maker({ words, suffix, fields: asked }, run, result, { say, fail, fields }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words;
  button.onclick = async () => {
    button.disabled = true;
    say(`Making ${words} …`);
    try {
      const known = Object.fromEntries(Object.entries(asked).filter(([name]) => name in fields));
      const file = await asFormat(run.picture, run.choices, result.seed, known);
      save(file, fileName(run, result, suffix));
      say(`${words} is downloaded.`);
    } catch (error) {
      fail(error, false);
    }
    button.disabled = false;
  };
  return button;
}

function save(blob, name) {
  const made = document.createElement("a");
  made.href = URL.createObjectURL(blob);
  made.download = name;
  document.body.append(made);
  made.click();
  made.remove();
  setTimeout(() => URL.revokeObjectURL(made.href), 60_000);
}
