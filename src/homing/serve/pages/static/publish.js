// Release by upload: choose pictures, see how much the least PSNR lets them change, send them, fetch the zip.

import { ask, base, bytes, capital, dropped, refusal, understood, Unreachable } from "./common.js";

const at = (id) => document.getElementById(id);
const form = at("publish");
const limit = Number(form.dataset.limit);
const together = Number(form.dataset.together);
const most = Number(form.dataset.most);
const POLL = 1000; // milliseconds between two requests for a release's progress
const PATIENCE = 30; // failed requests before the page gives up on a release
const SETTLED = 350; // milliseconds that the settings rest before a preview is requested

let files = [];
let shown = null; // the file of the preview
let previewing = null;
let timer = 0;

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

// --- the pictures chosen

function add(more) {
  const reasons = [];
  for (const file of more) {
    const why = refusal(file, limit);
    const known = files.some(
      (one) => one.name === file.name && one.size === file.size && one.lastModified === file.lastModified,
    );
    if (why) reasons.push(why);
    else if (!known) files.push(file);
  }
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (together && total > together)
    reasons.push(`Together they have ${bytes(total)}; at most ${bytes(together)} are taken at once.`);
  if (files.length > most) reasons.push(`These are ${files.length}; at most ${most} are taken at once.`);
  problem(reasons.join(" "));
  list();
  if (!shown && files.length) preview(files[0]);
}

function remove(file) {
  const place = files.indexOf(file);
  files = files.filter((one) => one !== file);
  problem("");
  list();
  const rest = at("chosen").querySelectorAll("button.away");
  (rest[Math.min(place, rest.length - 1)] ?? at("pictures")).focus();
  if (shown === file) preview(files[0] ?? null);
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function list() {
  for (const picture of at("chosen").querySelectorAll("img")) URL.revokeObjectURL(picture.src);
  at("chosen").replaceChildren(...files.map(row));
  const count = files.length;
  at("release").textContent = count > 1 ? `Release ${count} pictures` : "Release";
}

function row(file) {
  const look = element("button", { type: "button", textContent: "Preview", className: "look" });
  look.setAttribute("aria-label", `Preview ${file.name}`);
  look.setAttribute("aria-pressed", String(file === shown));
  look.addEventListener("click", () => preview(file));
  const away = element("button", { type: "button", textContent: "Remove", className: "away" });
  away.setAttribute("aria-label", `Remove ${file.name}`);
  away.addEventListener("click", () => remove(file));
  const small = element("img", { alt: "", src: URL.createObjectURL(file) });
  small.addEventListener("error", () => small.removeAttribute("src")); // TIFF: no browser shows it
  const name = element("span", { className: "name", textContent: file.name });
  const size = element("span", { className: "size", textContent: bytes(file.size) });
  return element("li", {}, small, name, size, look, away);
}

at("pictures").addEventListener("change", () => {
  add([...at("pictures").files]);
  at("pictures").value = ""; // so that more can be added, and the same again
});
dropped(document.body, at("drop"), add);

// --- before and after

function preview(file) {
  shown = file;
  for (const [place, button] of at("chosen").querySelectorAll("button.look").entries())
    button.setAttribute("aria-pressed", String(files[place] === file));
  clearTimeout(timer);
  previewing?.abort();
  if (!file) {
    at("views").hidden = true;
    at("previewed").textContent = "Choose pictures above to see here what this does to them.";
    return;
  }
  timer = setTimeout(() => fetchPreview(file), SETTLED);
}

async function fetchPreview(file) {
  previewing = new AbortController();
  const { signal } = previewing;
  const body = new FormData();
  body.append("picture", file, file.name);
  body.append("psnr", at("psnr").value);
  body.append("method", at("method").value);
  report(`Trying it on ${file.name}…`);
  at("preview").classList.add("working");
  try {
    const made = await ask("/v1/previews", { method: "POST", body, signal });
    await Promise.all(
      ["before", "after", "difference"].map((name) => {
        at(name).src = made[name];
        return at(name).decode();
      }),
    );
    if (signal.aborted) return;
    at("views").hidden = false;
    divide();
    report(`${file.name}: ${likeness(made)}`);
  } catch (error) {
    if (signal.aborted) return;
    at("views").hidden = true;
    report(error.message, true);
  }
  at("preview").classList.remove("working");
}

function report(text, bad = false) {
  at("previewed").classList.toggle("bad", bad);
  at("previewed").textContent = text;
}

function likeness({ psnr, ssimulacra2 }) {
  const decibels = psnr == null ? "unchanged" : `${psnr.toFixed(1)} dB`;
  return ssimulacra2 == null ? decibels : `${decibels}, SSIMULACRA2 ${ssimulacra2.toFixed(1)} of 100`;
}

at("psnr").addEventListener("input", () => {
  at("decibels").textContent = at("psnr").value;
  preview(shown);
});
at("method").addEventListener("change", () => preview(shown));

/** Divide the visible part of the picture, wherever it is scrolled to. */
function divide() {
  const [pane] = panes;
  const seen = Math.min(pane.clientWidth, at("after").clientWidth);
  const place = pane.scrollLeft + (seen * at("divide").value) / 100;
  form.querySelector(".stack").style.setProperty("--divide", `${place}px`);
}

const panes = [...form.querySelectorAll(".pane")];
for (const pane of panes)
  pane.addEventListener("scroll", () => {
    for (const other of panes)
      if (other !== pane) [other.scrollLeft, other.scrollTop] = [pane.scrollLeft, pane.scrollTop];
    divide();
  });
at("divide").addEventListener("input", divide);
addEventListener("resize", divide);

// --- the release

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem("");
  if (!files.length) return problem("Choose pictures first.");
  const body = new FormData();
  for (const file of files) body.append("pictures", file, file.name);
  for (const name of ["psnr", "method", "format", "prefix"])
    if (at(name).value) body.append(name, at(name).value);
  at("release").disabled = true;
  begin();
  try {
    const { job } = await send("/v1/releases", body);
    history.replaceState(null, "", `#${job}`); // so that the page can be loaded again meanwhile
    await follow(job);
    files = [];
    list();
    preview(null);
  } catch (error) {
    at("run").hidden = true;
    problem(error.message);
    at("release").disabled = false;
    at("release").focus();
  }
  at("release").disabled = false;
});

function begin() {
  at("run").hidden = false;
  at("outcome").hidden = true;
  at("bar").hidden = false;
  at("run-title").textContent = "Releasing";
  at("run-title").focus();
  progress(0, "Sending");
  announce("Sending the pictures.");
}

function progress(share, text) {
  at("bar").value = share;
  at("progress").textContent = text;
}

/** To screen readers: seldom, since each is read out. */
function announce(text) {
  at("announced").textContent = text;
}

/** Like ask(), with the progress of the upload, which fetch() does not report. */
function send(address, body) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", base + address);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      if (total) progress(0, `Sending: ${bytes(loaded)} of ${bytes(total)}`);
    });
    request.addEventListener("error", () =>
      reject(new Unreachable()),
    );
    request.addEventListener("load", () => {
      try {
        resolve(understood(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    });
    request.send(body);
  });
}

async function follow(job) {
  let announced = 0;
  let patience = PATIENCE;
  for (;;) {
    let run;
    try {
      run = await ask(`/v1/releases/${encodeURIComponent(job)}`);
      patience = PATIENCE;
    } catch (error) {
      if (!(error instanceof Unreachable) || !patience--) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL));
      continue; // the server goes on with a release after it was away
    }
    const share = run.total ? run.done / run.total : 0;
    progress(share, `${run.done} of ${run.total}`);
    if (run.state !== "running") return finish(job, run);
    if (share >= announced + 0.25) {
      announced = share;
      announce(`${run.done} of ${run.total} released.`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

function finish(job, run) {
  const outcomes = run.outcomes ?? [];
  const released = outcomes.filter((outcome) => outcome.status === "released").length;
  const failed = outcomes.filter((outcome) => outcome.status === "failed").length;
  const others = outcomes.length - released - failed;
  const counts = [`${released} released`];
  if (others) counts.push(`${others} skipped`);
  if (failed) counts.push(`${failed} failed`);
  at("run-title").textContent = capital(counts.join(", ")) + ".";
  at("bar").hidden = true;
  at("progress").textContent = run.error ? capital(run.error) : "";
  at("rows").replaceChildren(...outcomes.map(outcomeRow));
  at("zip").href = `${base}/v1/releases/${encodeURIComponent(job)}/files.zip`;
  at("zip").hidden = released === 0;
  at("outcome").hidden = false;
  announce("");
  at("run-title").focus(); // so that it is read out
}

function outcomeRow(outcome) {
  const name = element("th", { scope: "row" });
  if (outcome.id && outcome.status !== "failed") {
    const path = outcome.id.split("/").map(encodeURIComponent).join("/");
    name.append(element("a", { href: `${base}/browse/${path}`, textContent: outcome.id }));
  } else name.append(outcome.id ?? outcome.source);
  const said = [outcome.status, outcome.reason, ...(outcome.notes ?? [])].filter(Boolean).join(": ");
  const became = element("td", { textContent: said });
  became.classList.toggle("bad", outcome.status === "failed");
  const decibels = outcome.psnr == null ? "–" : `${outcome.psnr.toFixed(1)} dB`;
  return element("tr", {}, name, became, element("td", { textContent: decibels }));
}

// A page loaded again while a release runs, or after it, goes on where it was.
const job = location.hash.slice(1);
if (job) {
  begin();
  follow(job).catch(() => {
    at("run").hidden = true;
    history.replaceState(null, "", location.pathname);
  });
}
