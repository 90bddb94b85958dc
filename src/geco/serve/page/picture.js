// Every way a picture comes to the page: dropped, pasted, chosen, photographed, or an example.

const EXAMPLES = ["bus", "mug", "boot", "dinosaur", "strawberry", "avocado"];
const $ = (id) => document.getElementById(id);

// Calls take(file) for a picture and refuse(sentence) for what is none.
export function listen(take, refuse) {
  for (const [button, input] of [["choose", "file"], ["photo", "camera"]]) {
    $(button).onclick = () => $(input).click();
    $(input).onchange = () => {
      const [file] = $(input).files;
      $(input).value = ""; // so that the same file may be chosen again
      if (file) take(file);
    };
  }
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop") dropped(event.dataTransfer, take, refuse);
    });
  }
  document.addEventListener("paste", (event) => pasted(event, take, refuse));
  for (const name of EXAMPLES) $("examples").append(example(name, take, refuse));
}

function dropped(data, take, refuse) {
  if (data.files.length) take(data.files[0]);
  else refuse("That was a link or text, not a file. Save the picture first, then drop the file here.");
}

function pasted(event, take, refuse) {
  const [file] = event.clipboardData.files;
  const typing = event.target instanceof Element && event.target.closest("input, textarea");
  if (file) {
    event.preventDefault();
    take(file);
  } else if (!typing) {
    refuse("The clipboard holds no picture. Copy the picture itself, not its address.");
  }
}

function example(name, take, refuse) {
  const button = document.createElement("button");
  button.type = "button";
  const image = new Image();
  image.src = `examples/${name}.webp`;
  image.alt = name;
  button.append(image);
  button.onclick = async () => {
    try {
      const blob = await (await fetch(image.src)).blob();
      take(new File([blob], `${name}.webp`, { type: "image/webp" }));
    } catch {
      refuse("The example cannot be fetched: the server does not answer.");
    }
  };
  const item = document.createElement("li");
  item.append(button);
  return item;
}

// Shows what was chosen; pictures that browsers cannot show (HEIC in most) by their name alone.
export function show(picture) {
  const image = $("chosen");
  URL.revokeObjectURL(image.src);
  image.onerror = () => { image.hidden = true; };
  image.onload = () => { image.hidden = false; };
  image.src = URL.createObjectURL(picture);
  image.alt = `your picture, ${picture.name}`;
  $("drop-words").textContent = `${picture.name}: drop or paste another one here`;
}

// The name without its folder and suffix, for the files that are downloaded.
export function stem(picture) {
  const name = (picture.name || "mesh").replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "");
  return name || "mesh";
}
