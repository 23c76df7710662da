// Shared by the pages: requests to the server, its refusals in words, sizes in words.

/** The server did not answer, or not to the end; the request may be repeated. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached, or it broke off. Try again.");
  }
}

/** Path below which the service is: "" or "/homing". */
export const base = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Return the server's answer as an object, or throw an error in its own words, if it has any. */
export async function ask(address, options = {}) {
  let answer, text;
  try {
    answer = await fetch(base + address, { headers: { Accept: "application/json" }, ...options });
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
  return understood(answer.status, text);
}

/** Parse an answer, or throw an error with the reason that it gives. */
export function understood(status, text) {
  let said = {};
  try {
    said = JSON.parse(text);
  } catch {
    // Not from the service itself: a proxy, perhaps.
  }
  if (status >= 200 && status < 300) return said;
  if (said.error) throw new Error(capital(said.error));
  throw new Error(`The server refused with status ${status}.`);
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Format bytes for people. */
export function bytes(count) {
  if (count < 1024) return `${count} bytes`;
  if (count < 1024 ** 2) return `${Math.round(count / 1024)} kB`;
  return `${(count / 1024 ** 2).toFixed(count < 10 * 1024 ** 2 ? 1 : 0)} MB`;
}

/** Return why a file cannot be sent; null if it can. */
export function refusal(file, limit) {
  if (file.size === 0) return `${file.name} is empty.`;
  if (limit && file.size > limit)
    return `${file.name} has ${bytes(file.size)}; at most ${bytes(limit)} are taken.`;
  return null;
}

/** Call back with the files that are dropped on an element; `over` marks the target meanwhile. */
export function dropped(element, target, take) {
  let depth = 0;
  const holdsFiles = (event) => [...event.dataTransfer.types].includes("Files");
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    target.classList.toggle("over", depth > 0);
  };
  element.addEventListener("dragenter", (event) => holdsFiles(event) && mark(1));
  element.addEventListener("dragleave", (event) => holdsFiles(event) && mark(-1));
  element.addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  element.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    target.classList.remove("over");
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}

/** Replace pictures that are not available by a note. */
export function replaceBroken() {
  const replace = (picture) => {
    const blank = document.createElement("span");
    blank.className = "blank";
    blank.textContent = "no picture";
    picture.replaceWith(blank);
  };
  for (const picture of document.querySelectorAll(".card img, .entry img")) {
    if (picture.complete && picture.naturalWidth === 0 && picture.src) replace(picture);
    else picture.addEventListener("error", () => replace(picture), { once: true });
  }
}
