// Requests to the server, and every way that one can fail as one sentence.

// What the page shows of an error: one sentence or two.
export class Trouble extends Error {}

const BROKEN = "The server does not answer. Is it still running, and are you still connected?";

// A request; resolves to an answer that is all right, throws a Trouble or (where it was called off) an
// AbortError.
export async function ask(path, { method = "GET", body, signal, headers = {}, keepalive } = {}) {
  const token = sessionStorage.getItem("token");
  const own = token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
  let answer;
  try {
    answer = await fetch(path, { method, body, signal, headers: own, keepalive });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(BROKEN);
  }
  if (answer.ok) return answer;
  const again = answer.status === 401 && (await askForToken(token));
  if (again) return ask(path, { method, body, signal, headers });
  throw new Trouble(await sentence(answer));
}

// The body of an answer, read in a way ("json", "blob") that may find the line cut.
export async function read(answer, way) {
  try {
    return await answer[way]();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const cut = way === "blob" || error.name !== "SyntaxError";
    throw new Trouble(cut ? "The connection broke in the middle of the answer." : strange(answer));
  }
}

async function sentence(answer) {
  const wait = Number(answer.headers.get("Retry-After"));
  let error;
  try {
    ({ error } = await answer.json());
  } catch {
    error = null;
  }
  if (answer.status === 503 && wait) return `The server is busy. Try again in ${seconds(wait)}.`;
  if (!error || !error.problem) return strange(answer);
  return told(error);
}

// An error as the API says it.
export function told({ problem, remedy }) {
  const start = problem.charAt(0).toUpperCase() + problem.slice(1);
  return remedy ? `${start}. ${remedy}` : `${start}.`;
}

function strange(answer) {
  const about = {
    413: "The picture is too large for this server",
    502: "The server behind the proxy does not answer",
    504: "The proxy before the server lost its patience",
  }[answer.status];
  return `${about || "Something other than the server of this page answered"} (HTTP ${answer.status}).`;
}

export function seconds(count) {
  return count === 1 ? "1 second" : `${count} seconds`;
}

// Asks for the token, once; it is kept until the tab is closed. False where nothing was given.
async function askForToken(wrong) {
  const dialog = document.getElementById("token-dialog");
  const field = document.getElementById("token");
  if (wrong) sessionStorage.removeItem("token");
  if (!dialog.open) {
    field.value = "";
    dialog.returnValue = "";
    dialog.showModal();
  }
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  const given = dialog.returnValue === "ok" && field.value.trim();
  if (given) sessionStorage.setItem("token", given);
  return Boolean(given);
}

// The form's fields as the server describes them: {name: {type, minimum, maximum, enum, default,
// description}}.
export async function describedFields() {
  const document = await read(await ask("openapi.json"), "json");
  const body = document.paths["/api/v1/mesh"].post.requestBody.content["multipart/form-data"].schema;
  const schema = body.$ref ? document.components.schemas[body.$ref.split("/").pop()] : body;
  return schema.properties;
}

// {status, model, version, …}
export async function health() {
  return read(await ask("healthz"), "json");
}

// A form with the picture and the choices.
export function formOf(picture, choices) {
  const form = new FormData();
  form.append("picture", picture, picture.name || "picture");
  for (const [name, value] of Object.entries(choices)) form.append(name, value);
  return form;
}
