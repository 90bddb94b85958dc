// The objects of one run side by side, the best agreement with the picture first, and those of earlier runs.

const MOST_EARLIER = 12; // runs kept in memory, each a few megabytes
const $ = (id) => document.getElementById(id);

export class Gallery {
  // choose(result): called when the user takes another one.
  constructor(choose) {
    this.choose = choose;
    this.clear();
  }

  clear() {
    this.cards = [];
    $("cards").replaceChildren();
    $("choice").hidden = true;
  }

  // A place for a seed, before there is anything of it.
  expect(seeds) {
    this.clear();
    this.several = seeds.length > 1;
    $("choice").hidden = false;
    $("choice-title").textContent = this.several ? `Choose one of ${seeds.length}` : "Another one?";
    $("others").textContent = this.several ? `${seeds.length} others` : "Another seed";
    if (!this.several) return;
    for (const seed of seeds) {
      const card = new Card(seed, () => this.choose(card.result, true));
      this.cards.push(card);
      $("cards").append(card.element);
    }
  }

  card(seed) {
    return this.cards.find((card) => card.seed === seed);
  }

  // A result has come: its card takes its place, the best agreement first, those without a result last. Only
  // this card moves, so that the one that has the focus keeps it.
  add(result, still) {
    // the best of several seeds may be another one than was asked for
    const card = this.card(result.seed) ?? this.cards.find((each) => !each.result);
    if (!card) return;
    card.fill(result, still);
    const worse = this.cards.find((other) => other !== card && !(value(other) >= value(card)));
    this.cards = this.cards.filter((other) => other !== card);
    const place = worse ? this.cards.indexOf(worse) : this.cards.length;
    this.cards.splice(place, 0, card);
    $("cards").insertBefore(card.element, worse ? worse.element : null);
    for (const [number, each] of this.cards.entries()) {
      each.praise(number === 0 && this.cards.length > 1 && each.result?.agreement != null);
    }
  }

  select(seed) {
    const card = this.card(seed);
    if (card) card.input.checked = true;
  }

  // Seeds that have come to nothing lose their places.
  finish() {
    for (const card of this.cards.filter((each) => !each.result)) card.element.remove();
    this.cards = this.cards.filter((each) => each.result);
  }
}

const value = (card) => (card.result ? card.result.agreement ?? 0 : -1);

class Card {
  constructor(seed, chosen) {
    this.seed = seed;
    this.result = null;
    this.element = document.createElement("label");
    this.element.className = "card";
    this.input = document.createElement("input");
    Object.assign(this.input, { type: "radio", name: "object", value: seed, disabled: true });
    this.input.onchange = chosen;
    this.frame = document.createElement("span");
    this.frame.className = "thumb";
    this.words = document.createElement("span");
    this.words.textContent = `seed ${seed}`;
    this.note = document.createElement("span");
    this.note.textContent = "…";
    this.element.append(this.input, this.frame, this.words, this.note);
  }

  picture(url) {
    const image = new Image();
    image.src = url;
    image.alt = "";
    this.frame.replaceChildren(image);
  }

  fill(result, still) {
    this.result = result;
    this.seed = result.seed;
    this.words.textContent = `seed ${this.seed}`;
    Object.assign(this.input, { value: this.seed, disabled: false });
    if (still) this.picture(still);
    this.praise(false);
  }

  praise(best) {
    if (!this.result) return;
    const { agreement } = this.result;
    const fits = agreement == null ? "" : `fits ${(100 * agreement).toFixed(1)} %`;
    this.note.textContent = best ? `${fits}, best` : fits;
    this.note.classList.toggle("best", best);
  }
}

// The runs of this session, newest first. open(run) shows one again.
export class History {
  constructor(open) {
    this.open = open;
    this.runs = [];
  }

  add(run) {
    this.runs = [run, ...this.runs.filter((other) => other !== run)].slice(0, MOST_EARLIER);
    this.draw();
  }

  draw() {
    const earlier = this.runs.slice(1);
    $("history").hidden = !earlier.length;
    $("earlier").replaceChildren(...earlier.map((run) => {
      const button = document.createElement("button");
      button.type = "button";
      const image = new Image();
      image.src = run.still;
      image.alt = "";
      button.append(image, `${run.name}, ${run.results.length === 1 ? "seed" : "seeds"} ${seedsOf(run)}`);
      button.onclick = () => this.open(run);
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
  }
}

function seedsOf({ results }) {
  const seeds = results.map(({ seed }) => seed).sort((a, b) => a - b);
  return seeds.length > 1 ? `${seeds[0]} to ${seeds.at(-1)}` : String(seeds[0]);
}
