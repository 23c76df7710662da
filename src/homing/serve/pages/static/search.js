// Search at once for a picture that is chosen, dropped or pasted.

import { ask, dropped, refusal, replaceBroken } from "./common.js";

const form = document.getElementById("search");
const input = document.getElementById("picture");
const said = document.getElementById("said");
const suspect = document.getElementById("suspect");
const ARRIVED = "homing: arrived";

let running = null;

function say(text, bad = false) {
  said.classList.toggle("bad", bad);
  said.textContent = text;
}

function show(file) {
  if (suspect.src) URL.revokeObjectURL(suspect.src);
  suspect.hidden = true;
  suspect.onload = () => (suspect.hidden = false); // browsers show fewer kinds than are searched
  suspect.src = URL.createObjectURL(file);
}

async function search(file) {
  running?.abort();
  const why = refusal(file, Number(form.dataset.limit));
  if (why) return say(why, true);
  running = new AbortController();
  const body = new FormData();
  body.append("picture", file, file.name || "pasted.png");
  show(file);
  say("Searching…");
  form.classList.add("busy");
  try {
    const address = "/v1/search?keep=true&views=all&k=13";
    const found = await ask(address, { method: "POST", body, signal: running.signal });
    if (found.status === "failed") throw new Error(`${file.name}: ${found.reason}`);
    sessionStorage.setItem(ARRIVED, "1");
    location.assign(found.permalink);
  } catch (error) {
    if (error.name === "AbortError") return;
    say(error.message, true);
    form.classList.remove("busy");
    input.value = ""; // so that choosing the same file again is a change
  }
}

input.addEventListener("change", () => input.files.length && search(input.files[0]));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (input.files.length) search(input.files[0]);
  else say("Choose a picture first.", true);
});
dropped(document.body, form, (files) => search(files[0]));
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  search(file);
});
// Back from an answer the page comes as it was left.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  form.classList.remove("busy");
  say("");
});

/** Let a slider uncover the entry under the query that is laid over it. */
function divide() {
  const [, record, laid] = document.querySelectorAll(".strip.of3 figure");
  if (!laid) return;
  const stack = document.createElement("div");
  stack.className = "laid";
  const over = record.querySelector("img").cloneNode();
  over.alt = "";
  laid.prepend(stack);
  stack.append(laid.querySelector("img"), over);
  const label = document.createElement("label");
  label.htmlFor = "divide";
  label.textContent = `${laid.querySelector("figcaption").textContent}; drag to see the entry`;
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", id: "divide", min: 0, max: 100, value: 0 });
  slider.addEventListener("input", () => stack.style.setProperty("--divide", `${slider.value}%`));
  laid.querySelector("figcaption").replaceChildren(label, slider);
}

divide();
const copy = document.getElementById("copy");
const address = document.getElementById("address");
if (address) address.value = location.href; // behind a proxy the server knows another one
copy?.addEventListener("click", async () => {
  const copied = document.getElementById("copied");
  try {
    await navigator.clipboard.writeText(address.value);
    copied.textContent = "Copied.";
  } catch {
    address.select();
    copied.textContent = "Selected: copy it by hand.";
  }
});
if (sessionStorage.getItem(ARRIVED)) {
  sessionStorage.removeItem(ARRIVED);
  document.getElementById("verdict")?.focus(); // so that it is read out
}
replaceBroken();
