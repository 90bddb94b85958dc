// What is said and shown of one run beside the object itself.

// Facts of a result in a line; the agreement is of the model's own outline, before it was made to fit.
export function line({ seed, faces, agreement, timings, facts: { cutout_doubt: doubt } }) {
  const facts = [`seed ${seed}`, `${faces.toLocaleString("en")} faces`];
  if (agreement != null) facts.push(`its outline fits the picture's by ${(100 * agreement).toFixed(1)} %`);
  if (doubt) facts.push(`is the cut-out right? ${doubt}`);
  if (timings?.total) facts.push(`made in ${timings.total.toFixed(2)} s`);
  return facts.join(" · ");
}

// A picture with words below it, which are also read where it is not seen.
export function figure(url, words) {
  const made = document.createElement("figure");
  const image = new Image();
  image.src = url;
  image.alt = words;
  const caption = document.createElement("figcaption");
  caption.textContent = words;
  made.append(image, caption);
  return made;
}

// Its place in the queue.
export function waiting(position) {
  if (position < 1) return "Next in the queue";
  return `Waiting in the queue: ${position} before ${position === 1 ? "this one" : "these"}`;
}
