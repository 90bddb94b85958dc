// The shown object as a file in any format; all but the GLB are made when they are asked for.
import { asFormat } from "./making.js";

const FORMATS = [
  { words: "GLB", fields: { format: "glb" } },
  { words: "STL, watertight", fields: { format: "stl", watertight: "true" } },
  { words: "3MF, watertight", fields: { format: "3mf", watertight: "true" } },
  { words: "USDZ", fields: { format: "usdz" } },
  { words: "OBJ (zip)", fields: { format: "obj" } },
  { words: "PLY", fields: { format: "ply" } },
];

// Fills the list for one result of a run ({picture, name, choices, beside, several}). say and fail are told
// what happens. The GLB that is shown is there already, unless the file shall be another one.
export function offer(list, run, result, { say, fail }) {
  const made = !Object.keys(run.beside).length;
  list.replaceChildren(...FORMATS.map((format) => {
    const item = document.createElement("li");
    const here = format.words === "GLB" && made;
    item.append(here ? link(run, result) : maker(format, run, result, { say, fail }));
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

function maker({ words, fields }, run, result, { say, fail }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words;
  button.onclick = async () => {
    button.disabled = true;
    say(`Making ${words} …`);
    try {
      const choices = { ...run.choices, ...run.beside };
      const { blob, suffix } = await asFormat(run.picture, choices, result.seed, fields);
      save(blob, fileName(run, result, suffix));
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
