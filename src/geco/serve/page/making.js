// One run: a picture and choices in, what happens on the way and the results out, as they come.
import { ask, formOf, read } from "./api.js";

// Yields {kind: "state", position}, {kind: "stage", seed, stage, part}, {kind: "views", seed, url, cutout},
// {kind: "result", result}. A result: {seed, faces, agreement, timings, facts, glb: Blob}.
export async function* make(picture, choices, seeds, signal) {
  for (const [number, seed] of seeds.entries()) {
    yield { kind: "stage", seed, stage: "", part: number / seeds.length };
    const form = formOf(picture, { ...choices, seed });
    const made = await read(await ask("api/v1/preview", { method: "POST", body: form, signal }), "json");
    const views = `data:image/png;base64,${made.views}`;
    yield { kind: "views", seed, url: views, cutout: `data:image/png;base64,${made.picture}` };
    const bytes = Uint8Array.from(atob(made.glb), (letter) => letter.charCodeAt(0));
    const agreement = made.facts.agreement ?? null;
    yield {
      kind: "result",
      result: { ...made, agreement, glb: new Blob([bytes], { type: "model/gltf-binary" }) },
    };
  }
}

// The same object in another format: the same picture, seed and choices give the same one.
export async function asFormat(picture, choices, seed, format, signal) {
  const form = formOf(picture, { ...choices, seed, ...format });
  return read(await ask("api/v1/mesh", { method: "POST", body: form, signal }), "blob");
}
