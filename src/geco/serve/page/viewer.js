// Where the mesh stands: model-viewer, which starts anew after a lost GPU, or a picture where there is no
// WebGL.

const LOST_PATIENCE = 1500; // ms that the browser has to bring a lost GPU back by itself
const MOST_LOSSES = 3; // of the GPU for one mesh; then a picture takes its place
const ORBIT = "0deg 75deg 105%"; // the picture's own side

export function hasWebGL() {
  try {
    const gl = document.createElement("canvas").getContext("webgl2");
    gl?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(gl);
  } catch {
    return false;
  }
}

export class Viewer {
  // frame: the element that the viewer fills; tools: the one for its buttons; say: told what a screen reader
  // should hear; still(): resolves to {url, columns, rows}, a sheet of the mesh turning; may be left out.
  constructor(frame, tools, say, still) {
    Object.assign(this, { frame, tools, say, still });
    this.element = null;
    this.touched = false; // whether the user has turned what is shown
    this.url = null;
    this.losses = 0;
    this.webgl = hasWebGL();
  }

  // Fetches model-viewer ahead of its first use.
  warm() {
    if (this.webgl) this.library ??= import("./vendor/model-viewer.min.js");
    return this.library;
  }

  // Shows a picture while there is no mesh yet.
  cover(url, alt) {
    this.uncover();
    const image = new Image();
    image.src = url;
    image.alt = alt;
    image.className = "tiles cover";
    this.frame.append(image);
  }

  uncover() {
    for (const old of this.frame.querySelectorAll(".cover")) old.remove();
  }

  // Shows a GLB (a Blob); what was shown before is let go. When it is on the screen, the mark "geco-mesh"
  // is set.
  async show(glb, name) {
    this.clear();
    const url = URL.createObjectURL(glb);
    Object.assign(this, { url, name, losses: 0, touched: false });
    if (!this.webgl) return this.showStill("There is no WebGL here");
    await this.warm();
    if (this.url !== url) return undefined; // another one came meanwhile
    this.mount();
    return undefined;
  }

  clear() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.element?.remove();
    this.element = null;
    this.frame.querySelector(".turn")?.remove();
    this.tools.replaceChildren();
  }

  mount() {
    const element = document.createElement("model-viewer");
    const own = {
      src: this.url, alt: this.name, "camera-controls": "", "touch-action": "pan-y", "camera-orbit": ORBIT,
      "shadow-intensity": "0.6", "interaction-prompt": "none", "min-field-of-view": "8deg",
      loading: "eager", reveal: "auto", ar: "", "ar-modes": "webxr quick-look",
    };
    for (const [key, value] of Object.entries(own)) element.setAttribute(key, value);
    element.addEventListener("load", () => this.arrived());
    element.addEventListener("camera-change", (event) => {
      if (event.detail.source === "user-interaction") this.touched = true;
    });
    element.addEventListener("error", (event) => this.failed(element, event.detail));
    this.element = element;
    this.frame.append(element);
    this.addTools();
  }

  arrived() {
    this.uncover();
    performance.mark("geco-mesh");
  }

  addTools() {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const tools = [
      ["Front view", () => {
        this.element.cameraOrbit = ORBIT;
        this.element.fieldOfView = "auto";
        this.element.resetTurntableRotation(0);
        if (still) this.element.jumpCameraToGoal();
      }],
      ["Turn", (button) => {
        const turning = this.element.toggleAttribute("auto-rotate");
        this.element.setAttribute("auto-rotate-delay", "0");
        button.setAttribute("aria-pressed", String(turning));
      }],
    ];
    if (document.fullscreenEnabled) tools.push(["Full screen", () => this.frame.requestFullscreen()]);
    this.tools.replaceChildren(...tools.map(([words, act]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      button.onclick = () => act(button);
      return button;
    }));
    this.tools.children[1].setAttribute("aria-pressed", "false");
  }

  failed(element, { type, sourceError }) {
    if (element !== this.element) return;
    if (type !== "webglcontextlost") {
      this.showStill(`The mesh cannot be shown (${sourceError?.message || type})`);
      return;
    }
    this.say("The graphics card was lost; the view is made anew.");
    this.losses += 1;
    const [{ url }, losses] = [this, this.losses];
    setTimeout(() => {
      if (this.url === url && this.losses === losses) this.recover();
    }, LOST_PATIENCE);
  }

  // A new renderer where the browser has not restored the old one. model-viewer 4.4 gives no public way to
  // that: the class that holds its one renderer is found behind a symbol.
  recover() {
    if (this.losses > MOST_LOSSES || !hasWebGL()) {
      this.showStill("The graphics card was lost");
      return;
    }
    const old = this.element;
    const renderer = rendererOf(old);
    old.remove();
    if (renderer?.threeRenderer?.getContext().isContextLost()) renderer.constructor.resetSingleton();
    this.mount();
  }

  async showStill(why) {
    const { url } = this;
    this.element?.remove();
    this.element = null;
    this.tools.replaceChildren();
    const box = document.createElement("div");
    box.className = "turn";
    const sheet = await this.still?.().catch(() => null);
    if (sheet) await turntable(box, sheet, this.name, why);
    else box.textContent = `${why}: download the file to see it.`;
    if (this.url !== url) return; // another one came meanwhile
    this.arrived();
    this.frame.append(box);
  }
}

function rendererOf(element) {
  for (let kind = element; kind; kind = Object.getPrototypeOf(kind)) {
    for (const symbol of Object.getOwnPropertySymbols(kind)) {
      if (symbol.description === "renderer") return element[symbol];
    }
  }
  return null;
}

// A sheet of frames as one picture in a box, which a slider turns.
async function turntable(box, { url, columns, rows }, name, why) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth / columns;
  canvas.height = image.naturalHeight / rows;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name);
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: 0, max: columns * rows - 1, value: 0 });
  slider.className = "turner";
  const context = canvas.getContext("2d");
  const draw = () => {
    const frame = Number(slider.value);
    const [x, y] = [frame % columns, Math.floor(frame / columns)];
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, -x * canvas.width, -y * canvas.height);
  };
  slider.oninput = draw;
  draw();
  const label = document.createElement("label");
  label.append(`${why}; turn the picture `, slider);
  box.append(canvas, label);
}
