// The page: takes a picture, asks the server for a mesh, shows it.
import { showGlb } from "./viewer.js";

const $ = (id) => document.getElementById(id);
let picture = null;
let link = null;

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").className = bad ? "bad" : "";
}

// Asks the server; where it wants a token, asks for that first and keeps it until the tab is closed.
async function ask(form) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch("api/v1/preview", { method: "POST", body: form, headers });
  if (answer.status !== 401) return answer;
  const given = prompt("This server wants a token:");
  if (!given) return answer;
  sessionStorage.setItem("token", given.trim());
  return ask(form);
}

async function run() {
  if (!picture) return;
  const form = new FormData();
  form.append("picture", picture);
  for (const name of ["seed", "truncation", "faces", "texture_size"]) {
    if ($(name).value) form.append(name, $(name).value);
  }
  $("again").disabled = true;
  say("working …");
  try {
    const answer = await ask(form);
    const result = await answer.json();
    if (!answer.ok) throw new Error(`${result.error.problem}. ${result.error.remedy}`);
    const bytes = Uint8Array.from(atob(result.glb), (c) => c.charCodeAt(0));
    if (link) URL.revokeObjectURL(link);
    link = URL.createObjectURL(new Blob([bytes], { type: "model/gltf-binary" }));
    $("download").href = link;
    $("picture").src = `data:image/png;base64,${result.picture}`;
    $("views").src = `data:image/png;base64,${result.views}`;
    $("result").hidden = false;
    const timings = Object.entries(result.timings);
    const stages = timings.map(([stage, seconds]) => `${stage} ${seconds.toFixed(2)} s`);
    say(`${result.faces} faces, seed ${result.seed}; ${stages.join(", ")}`);
    if (!(await showGlb($("canvas"), bytes.buffer))) {
      say(`${$("status").textContent} (no WebGL here: download the file to see it)`);
    }
  } catch (error) {
    say(error.message, true);
  }
  $("again").disabled = false;
}

function take(files) {
  if (files.length) { picture = files[0]; run(); }
}

$("drop").onclick = () => $("file").click();
$("drop").onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") $("file").click(); };
$("file").onchange = () => take($("file").files);
$("options").onsubmit = (event) => { event.preventDefault(); run(); };
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files);
  });
}
