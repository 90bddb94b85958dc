// One run: a picture and choices in, what happens on the way and the results out, as they come. It is a job
// of the server, which is followed by its events, taken up again where the line breaks, and called off with
// its signal.
import { ask, formOf, read, told, Trouble } from "./api.js";
import { events } from "./events.js";

const PAUSE = 1000; // ms before a broken line is tried again
const MOST_BREAKS = 8; // in a row
const STAGES = ["picture", "views", "reconstruct", "surface", "clean", "unwrap", "bake", "project", "file"];

// Yields {kind: "job", seeds}, {kind: "state", position}, {kind: "stage", number, stage, part}, {kind:
// "views", seed, url} and {kind: "result", result}; a result: {seed, faces, agreement, timings, facts, glb:
// Blob, still: address, turntable(): address}. Throws a Trouble where the job fails; what came before it
// stays good.
export async function* make(picture, choices, seeds, signal) {
  const form = formOf(picture, { ...choices, seed: seeds[0], samples: seeds.length });
  const job = await read(await ask("api/v1/jobs", { method: "POST", body: form, signal }), "json");
  yield { kind: "job", seeds: job.seeds };
  const end = () => cancel(job.id);
  signal.addEventListener("abort", end);
  addEventListener("pagehide", end);
  try {
    yield* follow(job, signal);
  } finally {
    signal.removeEventListener("abort", end);
    removeEventListener("pagehide", end);
  }
}

// Nobody waits for it any more; should that not arrive, the server only works in vain.
function cancel(id) {
  ask(`api/v1/jobs/${id}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

async function* follow(job, signal) {
  const seen = { views: new Set(), results: new Set() };
  for (let breaks = 0, last = "0"; ; breaks++) {
    try {
      const headers = { "Last-Event-ID": last };
      const answer = await ask(`api/v1/jobs/${job.id}/events`, { signal, headers });
      for await (const { id, data } of events(answer)) {
        [last, breaks] = [id, 0];
        const now = JSON.parse(data);
        yield* news(now, seen, signal);
        if (over(now)) return;
      }
    } catch (error) {
      if (error.name === "AbortError" || error.final || breaks >= MOST_BREAKS) throw error;
    }
    await new Promise((done) => setTimeout(done, PAUSE));
    const now = await read(await ask(`api/v1/jobs/${job.id}`, { signal }), "json");
    yield* news(now, seen, signal);
    if (over(now)) return;
  }
}

// What a job has that was not told yet.
async function* news(job, seen, signal) {
  if (job.state === "queued") yield { kind: "state", position: job.position };
  if (job.stage) yield stageOf(job);
  for (const { seed, url } of job.views) {
    if (seen.views.has(seed)) continue;
    seen.views.add(seed);
    yield { kind: "views", seed, url: await addressOf(url, signal) };
  }
  for (const result of job.results) {
    if (seen.results.has(result.seed)) continue;
    seen.results.add(result.seed);
    yield { kind: "result", result: await complete(job, result, signal) };
  }
  if (job.state === "failed" || job.state === "lost") throw final(job.error);
}

function over({ state }) {
  return state === "done" || state === "cancelled";
}

function final(error) {
  const trouble = new Trouble(error ? told(error) : "The server has lost this job.");
  trouble.final = true;
  return trouble;
}

function stageOf({ stage, step, results, seeds }) {
  const steps = step ? step.done / step.of : 0;
  const within = (Math.max(STAGES.indexOf(stage), 0) + steps) / STAGES.length;
  return { kind: "stage", number: results.length + 1, stage, part: (results.length + within) / seeds.length };
}

async function complete(job, result, signal) {
  const glb = await read(await ask(own(result.url), { signal }), "blob");
  return {
    ...result,
    glb: new Blob([glb], { type: "model/gltf-binary" }),
    still: await addressOf(result.still, signal),
    turntable: () => addressOf(`api/v1/jobs/${job.id}/turntable/${result.seed}.png`),
  };
}

// A picture of the server as an address of this page: it may want the token, which no <img> can send.
async function addressOf(url, signal) {
  return URL.createObjectURL(await read(await ask(own(url), { signal }), "blob"));
}

// Below the page, also where a proxy has put that below a path of its own.
function own(url) {
  return url.replace(/^\//, "");
}

// The same object as a file: {blob, suffix}. The same picture, seed and choices give the same object; which
// of several seeds was the best is known by now. Several files come as a zip.
export async function asFormat(picture, { best_of: _, ...choices }, seed, format) {
  const form = formOf(picture, { ...choices, seed, ...format });
  const answer = await ask("api/v1/mesh", { method: "POST", body: form });
  const [, suffix] = answer.headers.get("Content-Disposition")?.match(/\.(\w+)"?$/) ?? [];
  return { blob: await read(answer, "blob"), suffix: suffix ?? format.format };
}
