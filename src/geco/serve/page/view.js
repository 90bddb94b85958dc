// The viewer alone, for one file of this machine: what `geco view` opens.
import { ask, read, Trouble } from "./api.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);

async function show() {
  const viewer = new Viewer($("viewer"), $("viewer-tools"), (text) => { $("news").textContent = text; });
  viewer.warm();
  const { name } = await read(await ask("about.json"), "json");
  document.title = `${name}, GECO`;
  $("name").textContent = name;
  await viewer.show(await read(await ask("file.glb"), "blob"), `${name}, a 3D object`);
}

show().catch((error) => {
  $("trouble").textContent = error instanceof Trouble ? error.message : `The page failed: ${error.message}.`;
  $("trouble").hidden = false;
});
