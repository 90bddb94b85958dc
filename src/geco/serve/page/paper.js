// Pictures that the models draw stand on white paper; here the paper is taken off, so that they stand on the
// page's own ground, light or dark.

const WHITE = 236; // of 255: as light as the paper's own noise gets

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

// White that is joined to the tile's border becomes transparent.
function clear({ data, width, height }) {
  const seen = new Uint8Array(width * height);
  const open = [];
  const look = (at) => {
    if (seen[at]) return;
    seen[at] = 1;
    const least = Math.min(data[4 * at], data[4 * at + 1], data[4 * at + 2]);
    if (least < WHITE && data[4 * at + 3]) return;
    data[4 * at + 3] = 0;
    open.push(at);
  };
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
}
