// The page: a picture comes, objects are asked for, shown as they come, and kept for the session.
import { describedFields, health, Trouble } from "./api.js";
import { offer } from "./downloads.js";
import { figure, line, waiting } from "./facts.js";
import { Gallery, History } from "./gallery.js";
import { make } from "./making.js";
import * as options from "./options.js";
import { withoutPaper } from "./paper.js";
import { listen, show as showPicture, stem } from "./picture.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const STAGES = {
  picture: "reading the picture", views: "drawing six views", reconstruct: "from the views to a volume",
  surface: "finding the surface", clean: "cleaning the surface", unwrap: "unwrapping it",
  bake: "painting it", project: "laying the picture onto it", file: "writing the file",
};
let picture = null; // the last one that was given
let run = null; // what is shown or worked on: {picture, name, choices, seeds, several, results, views, still}
let shown = null; // the result of it that is in the viewer
let abort = null; // of the request that is under way

const viewer = new Viewer($("viewer"), $("viewer-tools"), say, turntableOf);
const gallery = new Gallery((result) => showResult(result, true));
const history = new History(reopen);

// The shown object turning, eight pictures in two rows.
async function turntableOf() {
  const url = await withoutPaper(await shown.turntable(), 4, 2);
  return { url, columns: 4, rows: 2 };
}

function say(text) {
  $("news").textContent = text;
}

function stage(text, part) {
  $("stage").textContent = text;
  if (part == null) $("bar").removeAttribute("value");
  else $("bar").value = part;
}

// Puts an error where the result was, or above it where the result is not concerned.
function fail(error, instead = true) {
  if (error.name === "AbortError") return;
  if (!(error instanceof Trouble)) console.error(error);
  if (instead) clearResult();
  $("trouble").textContent = error instanceof Trouble ? error.message : `The page failed: ${error.message}.`;
  $("trouble").hidden = false;
  if (instead) at("error");
  say("");
}

// start, working, result or error: what the page is at, for its style sheet and for whoever drives it.
function at(state) {
  document.body.dataset.state = state;
}

function clearResult() {
  viewer.clear();
  viewer.uncover();
  gallery.clear();
  shown = null;
  for (const id of ["stand", "facts", "work", "trouble"]) $(id).hidden = true;
  $("sheets").replaceChildren();
  $("empty").hidden = false;
}

function take(file) {
  picture = file;
  showPicture(file);
  $("again").disabled = false;
  start();
}

// One run. A newer one calls the older one off, and nothing of an older one is shown any more.
async function start() {
  if (!picture) return;
  const wrong = options.wrong();
  if (wrong) {
    abort?.abort();
    run = null;
    fail(new Trouble(wrong));
    return;
  }
  const { choices, beside, seeds } = options.chosen();
  const own = { picture, name: stem(picture), choices, beside, seeds, several: seeds.length > 1 };
  Object.assign(own, { results: [], views: {} });
  abort?.abort();
  const { signal } = (abort = new AbortController());
  clearResult();
  run = own;
  $("empty").hidden = true;
  $("work").hidden = false;
  at("working");
  stage("Sending the picture");
  say(`Working on ${own.name}.`);
  gallery.expect(seeds);
  viewer.warm();
  bringToSight();
  try {
    for await (const event of make(own.picture, choices, seeds, signal)) {
      if (run !== own) return;
      await happened(own, event);
      if (run !== own) return;
    }
    finish(own);
  } catch (error) {
    if (run !== own) return;
    if (own.results.length && error.name !== "AbortError") finish(own);
    fail(error, !own.results.length);
  }
}

// On a narrow screen the result is below the picture: go there when work begins.
function bringToSight() {
  const outcome = $("outcome");
  if (outcome.getBoundingClientRect().top < innerHeight * 0.6) return;
  // at once: the picture above is still to come, and to push it down
  outcome.scrollIntoView({ block: "start" });
}

async function happened(own, event) {
  if (event.kind === "job") {
    if (String(event.seeds) !== String(own.seeds)) gallery.expect((own.seeds = event.seeds));
  } else if (event.kind === "state") {
    if (event.position != null) stage(waiting(event.position));
  } else if (event.kind === "stage") {
    const object = own.several ? `Object ${event.number} of ${own.seeds.length}` : "Working";
    stage(event.stage ? `${object}: ${STAGES[event.stage] ?? event.stage}` : object, event.part);
  } else if (event.kind === "views") {
    await viewsCame(own, event);
  } else {
    await resultCame(own, event.result);
  }
}

async function viewsCame(own, { seed, url }) {
  const first = !Object.keys(own.views).length;
  const sheet = await withoutPaper(url, 2, 3);
  if (run !== own) return;
  own.views[seed] = sheet;
  gallery.card(seed)?.picture(sheet);
  if (first) {
    own.still = sheet;
    $("stand").hidden = false;
    viewer.cover(sheet, "six generated views of the object");
    say("The views are drawn.");
    performance.mark("geco-views");
  }
}

async function resultCame(own, result) {
  own.results.push(result);
  result.still = await withoutPaper(result.still);
  if (run !== own) return;
  gallery.add(result, result.still);
  if (own.results.length === 1) {
    performance.mark("geco-first");
    showResult(result);
  }
}

// All have come: the best one is shown, unless the user has chosen or turned another meanwhile.
function finish(own) {
  $("work").hidden = true;
  if (!own.results.length) {
    nothing("Cancelled.");
    return;
  }
  at("result");
  gallery.finish();
  own.results.sort((a, b) => (b.agreement ?? 0) - (a.agreement ?? 0));
  const [best] = own.results;
  if (best !== shown && !own.taken && !viewer.touched) showResult(best);
  own.still = best.still;
  history.add(own);
  const count = own.several ? `${own.results.length} objects` : "The object";
  say(`${count} of ${own.name} ${own.several ? "are" : "is"} ready.`);
}

async function showResult(result, byUser = false) {
  if (byUser) run.taken = true;
  shown = result;
  gallery.select(result.seed);
  $("stand").hidden = $("facts").hidden = false;
  $("facts-line").textContent = line(result);
  offer($("downloads"), run, result, { say, fail });
  const sheet = run.views[result.seed];
  $("sheets").replaceChildren(...(sheet ? [figure(sheet, "what the surface was made from")] : []));
  if (byUser) say(`Seed ${result.seed} is shown.`);
  await viewer.show(result.glb, `${run.name}, a 3D object, seed ${result.seed}`);
}

// Shows an earlier run again, as it was.
function reopen(old) {
  abort?.abort();
  clearResult();
  $("empty").hidden = true;
  run = old;
  picture = old.picture;
  showPicture(picture);
  gallery.expect(old.results.map(({ seed }) => seed));
  for (const result of old.results) gallery.add(result, result.still);
  history.add(old);
  at("result");
  showResult(old.results[0]);
  say(`${old.name} is shown again.`);
  $("outcome").focus();
}

function cancel() {
  abort?.abort();
  if (run?.results.length) {
    finish(run);
    return;
  }
  nothing("Cancelled.");
}

function nothing(words) {
  run = null;
  clearResult();
  at("start");
  say(words);
}

async function prepare() {
  at("start");
  listen(take, (sentence) => fail(new Trouble(sentence), false));
  $("cancel").onclick = cancel;
  $("others").onclick = () => {
    options.setSeed(Math.max(...run.seeds) + Number(run.choices.best_of ?? 1));
    start();
  };
  $("options").onsubmit = (event) => {
    event.preventDefault();
    start();
  };
  try {
    const about = await health();
    $("version").textContent = about.version;
    $("model").textContent = about.model ? `Model: ${about.model}.` : "";
    options.build(await describedFields());
    $("random").onclick = () => options.setSeed(options.randomSeed());
  } catch (error) {
    fail(error, false);
  }
}

prepare();
