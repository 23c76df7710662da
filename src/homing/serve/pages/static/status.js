// Update the figures while the page is visible.

const EVERY = 5000; // milliseconds

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("figures");
    if (fresh && !document.getElementById("figures").contains(document.activeElement))
      document.getElementById("figures").replaceWith(document.adoptNode(fresh));
  } catch {
    // The server is away: the time on the page says how old the figures are.
  }
}

setInterval(refresh, EVERY);
