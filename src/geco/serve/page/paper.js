// Pictures that the models draw stand on white paper; here the paper is taken off, so that they stand on the
// page's own ground, light or dark.

// Of 255. Paper that reaches a tile's border may be as light as a model's noise makes it; what is enclosed,
// in the handle of a mug, say, only counts as paper where it is as white as can be, else it is the object's
// own.
const WHITE = 236;
const ENCLOSED = 253;

// A picture's address (same origin, data: or blob:) to that of a PNG without its paper.
export async function withoutPaper(url, columns = 1, rows = 1) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const [width, height] = [Math.floor(canvas.width / columns), Math.floor(canvas.height / rows)];
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      const tile = context.getImageData(column * width, row * height, width, height);
      clear(tile);
      context.putImageData(tile, column * width, row * height);
    }
  }
  return canvas.toDataURL("image/png");
}

// Paper becomes transparent.
function clear({ data, width, height }) {
  const least = (at) => Math.min(data[4 * at], data[4 * at + 1], data[4 * at + 2]);
  const open = [];
  const look = (at) => {
    if (!data[4 * at + 3] || least(at) < WHITE) return;
    data[4 * at + 3] = 0;
    open.push(at);
  };
  for (let at = 0; at < width * height; at++) if (least(at) >= ENCLOSED) look(at);
  for (let x = 0; x < width; x++) { look(x); look((height - 1) * width + x); }
  for (let y = 0; y < height; y++) { look(y * width); look(y * width + width - 1); }
  while (open.length) {
    const at = open.pop();
    const x = at % width;
    if (x > 0) look(at - 1);
    if (x < width - 1) look(at + 1);
    if (at >= width) look(at - width);
    if (at < width * (height - 1)) look(at + width);
  }
  soften(data, width, height);
}

// What borders on paper was mixed with it: as much white is taken out of it as it can hold.
function soften(data, width, height) {
  const kept = Uint8Array.from({ length: width * height }, (_, at) => data[4 * at + 3]);
  const bare = (x, y) => x >= 0 && y >= 0 && x < width && y < height && !kept[y * width + x];
  for (let at = 0; at < width * height; at++) {
    const [x, y] = [at % width, Math.floor(at / width)];
    const near = [-2, -1, 0, 1, 2].some((i) => [-2, -1, 0, 1, 2].some((j) => bare(x + i, y + j)));
    if (!kept[at] || !near) continue;
    const opaque = 1 - Math.min(data[4 * at], data[4 * at + 1], data[4 * at + 2]) / 255;
    for (let channel = 0; channel < 3; channel++) {
      data[4 * at + channel] = 255 - (255 - data[4 * at + channel]) / Math.max(opaque, 1 / 255);
    }
    data[4 * at + 3] = 255 * opaque;
  }
}
