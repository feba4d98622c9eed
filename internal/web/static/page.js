// The page is whole without this script. With it, it keeps itself up to date:
// when the server says that something has changed, the same page is fetched
// again, and those parts of it are taken over that differ.
"use strict";
(() => {
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const patience = 1000; // ms between two fetches
  const atLeast = 15000; // ms after which the past and latencies are fetched anyway
  const shown = new Map(); // the parts as the server wrote them, by id
  const unfolded = new Map(); // whether the server wrote a details element open, by id
  let revision = main.dataset.revision; // of what is shown
  let news = revision; // the newest that the server told of
  let last = Date.now();
  let timer = 0;

  const parts = (root) => [...root.querySelectorAll("#main > [id], #foot, #lang")];
  for (const part of parts(document)) shown.set(part.id, part.outerHTML);
  for (const one of main.querySelectorAll("details")) unfolded.set(one.id, one.open);

  const tell = (text, off) => {
    live.hidden = false;
    live.classList.toggle("off", off);
    if (live.textContent !== text) live.textContent = text;
  };

  const schedule = () => {
    if (timer || document.hidden) return;
    timer = setTimeout(refresh, Math.max(0, last + patience - Date.now()));
  };

  async function refresh() {
    const known = news;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.status >= 500) throw new Error(answer.statusText); // of a proxy, too
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      tell(live.dataset.good, false);
    } catch {
      tell(live.dataset.lost, true);
    }
    last = Date.now();
    timer = 0;
    if (news !== known && news !== revision) schedule(); // it came while the page was on its way
  }

  // take puts the parts of a fresh page in the place of those that differ.
  function take(fresh) {
    const next = fresh.getElementById("main");
    if (!next) return;
    revision = next.dataset.revision;
    document.title = fresh.title;
    const icon = document.querySelector("link[rel=icon]"), now = fresh.querySelector("link[rel=icon]");
    if (icon.getAttribute("href") !== now.getAttribute("href")) icon.replaceWith(document.importNode(now));
    const wanted = parts(fresh);
    const ids = new Set(wanted.map((part) => part.id));
    for (const part of parts(document)) if (!ids.has(part.id)) drop(part);
    let before = null; // the part after which the next one stands
    for (const part of wanted) {
      let here = document.getElementById(part.id);
      if (part.parentElement.id !== "main") {
        if (here) update(here, part);
        continue;
      }
      if (!here) {
        here = document.importNode(part, true);
        shown.set(part.id, part.outerHTML);
        main.insertBefore(here, before ? before.nextElementSibling : main.firstElementChild);
      } else {
        const place = before ? before.nextElementSibling : main.firstElementChild;
        if (place !== here && !here.contains(document.activeElement)) main.insertBefore(here, place);
        update(here, part);
      }
      before = here;
    }
  }

  function drop(part) {
    if (part.contains(document.activeElement)) main.focus({ preventScroll: true });
    shown.delete(part.id);
    part.remove();
  }

  // update changes a part's contents and keeps the part itself, so that a live
  // region stays one. What somebody is filling in is left alone.
  function update(here, part) {
    const source = part.outerHTML;
    if (shown.get(part.id) === source) return;
    const active = here.contains(document.activeElement) ? document.activeElement : null;
    if (active && active.matches("input, select")) return;
    const typed = [...here.querySelectorAll("input:not([type=hidden])")].some((one) => one.value);
    if (typed) return;
    const fresh = document.importNode(part, true);
    for (const one of fresh.querySelectorAll("details")) fold(one);
    for (const { name, value } of fresh.attributes) here.setAttribute(name, value);
    here.replaceChildren(...fresh.childNodes);
    shown.set(part.id, source);
    if (active && active !== here) again(here, active);
  }

  // fold keeps what somebody has opened or closed; else the server decides.
  function fold(fresh) {
    const here = document.getElementById(fresh.id), wrote = fresh.open;
    if (here && unfolded.has(fresh.id) && here.open !== unfolded.get(fresh.id)) fresh.open = here.open;
    unfolded.set(fresh.id, wrote);
  }

  // again gives the focus to what is now where it was.
  function again(here, was) {
    const same = (one) => (was.id ? one.id === was.id : one.textContent === was.textContent && one.getAttribute("href") === was.getAttribute("href"));
    const now = [...here.querySelectorAll(was.tagName)].find(same) ||
      (was.tagName === "SUMMARY" && was.parentElement.id && document.getElementById(was.parentElement.id)?.querySelector("summary"));
    (now || main).focus({ preventScroll: true });
  }

  function listen() {
    const events = new EventSource("/events");
    events.addEventListener("changed", (event) => {
      tell(live.dataset.good, false);
      news = event.lastEventId;
      if (news !== revision) schedule();
    });
    events.addEventListener("error", () => {
      tell(live.dataset.lost, true);
      // The browser does not ask a server again that has said no.
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, atLeast);
    });
  }

  listen();
  setInterval(() => {
    if (!document.hidden && Date.now() - last >= atLeast) schedule();
  }, atLeast / 3);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) schedule();
  });
})();
